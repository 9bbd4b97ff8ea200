"""The program that opens one picture: `python -I child.py MOST_SIDE < file > answer`; its memory ends with it.

`app.pictures` starts it. It imports Pillow and nothing of ours: what a hostile file does to a decoder happens in a
process without a key or a database. The answer is a line of JSON, then the bytes of the new file. It needs at most
40 MB: a PNG is decoded in strips, a large JPEG smaller than it is, and of anything else the pixels are counted first.
"""

from __future__ import annotations

import json
import resource
import struct
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib import import_module
from io import BytesIO
from itertools import pairwise
from typing import IO, Any

from PIL import Image, JpegImagePlugin, PngImagePlugin  # noqa: F401 - the two formats that are written

SECONDS, MOST_MEMORY = 20, 512 * 1024 * 1024
# The most bytes of pixels at one time, and of what is decoded at once: Pillow keeps 4 bytes a pixel, of a palette 1.
BUDGET, LARGEST_DECODED = 20_000_000, 14_000_000
LARGEST_PNG_PIXELS, LONGEST_PNG_SIDE = 40_000_000, 30_000
STRIP = 100_000  # pixels
LARGEST_PNG = 1_000_000  # as a file; above it a JPEG is smaller
PNG = b"\x89PNG\r\n\x1a\n"
# How each kind begins, and its bytes a pixel; no other is ever decoded. A GIF's second frame, which is looked for, is
# composed in colour; WebP's decoder keeps two canvases beside the picture and a copy.
KINDS = ((PNG, "Png", 4), (b"\xff\xd8\xff", "Jpeg", 4), (b"GIF8", "Gif", 5), (b"RIFF", "WebP", 16))
ORIENTATION = 0x0112
TURNS = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_270, 8: Image.Transpose.ROTATE_90}
FAULTS = (
    Image.DecompressionBombError,
    EOFError,
    MemoryError,
    OSError,
    SyntaxError,
    ValueError,
    struct.error,
    zlib.error,
)

Strip = tuple[int, Image.Image]


class TooManyPixels(Exception):
    """It would need more memory than there is for it."""


class TooLarge(Exception):
    """As a PNG it is larger than it needs to be."""


class Small(BytesIO):
    """A file that stays small."""

    def write(self, data: Any) -> int:
        """Add to it. Raises TooLarge."""
        if self.tell() + len(data) > LARGEST_PNG:
            raise TooLarge
        return super().write(data)


def main() -> None:
    """Answer for the file at standard input."""
    Image.MAX_IMAGE_PIXELS = None  # they are counted here, before anything is decoded
    PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = 65_536
    with suppress(ValueError, OSError):  # not every system has each limit
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    answer, data = answer_for(sys.stdin.buffer, int(sys.argv[1]))
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + data)


def answer_for(file: IO[bytes], most_side: int) -> tuple[dict[str, Any], bytes]:
    """Return what the picture is, and a new file of nothing but its pixels; or what is wrong with it."""
    head = file.read(16)
    found = [(name, size) for start, name, size in KINDS if head.startswith(start)]
    if not found or (head[:4] == b"RIFF" and head[8:12] != b"WEBP"):
        return {"error": "unknown"}, b""
    (kind, per_pixel), *_ = found
    try:
        shape = png_shape(file) if kind == "Png" else None
        if shape:
            made, moves = smaller(png_strips(file, shape), shape[:2], most_side), False
        else:
            made, moves = from_whole(file, kind, per_pixel, most_side)
    except TooManyPixels:
        return {"error": "pixels"}, b""
    except FAULTS:
        return {"error": "broken"}, b""
    data, name = encoded(made, kind)
    return {"type": name, "width": made.width, "height": made.height, "moves": moves}, data


def smaller(strips: Iterable[Strip], size: tuple[int, int], most_side: int, taken: int = 0) -> Image.Image:
    """Return what the strips show, with no side longer than `most_side`; `taken` are the bytes that are in use."""
    width, height = size
    scale = min(1.0, most_side / max(width, height), ((BUDGET - taken) / (width * height * 4)) ** 0.5)
    made = Image.new("RGB", (max(1, round(width * scale)), max(1, round(height * scale))), "white")
    for top, strip in strips:
        put(made, top, strip, height)
    return made


def from_whole(file: IO[bytes], kind: str, per_pixel: int, most_side: int) -> tuple[Image.Image, bool]:
    """Return a picture that is decoded at once, upright, and whether it moves."""
    made, turn, moves = decoded(file, kind, per_pixel, most_side)
    return (made.transpose(turn) if turn else made), moves


def decoded(
    file: IO[bytes], kind: str, per_pixel: int, most_side: int
) -> tuple[Image.Image, Image.Transpose | None, bool]:
    """Return a picture as small as it must be, how it is to be turned, and whether it moves."""
    import_module(f"PIL.{kind}ImagePlugin")
    file.seek(0)
    with Image.open(file, formats=[kind.upper()]) as image:
        taken = make_room(image, kind, per_pixel)
        moves = kind != "Jpeg" and is_moving(image)
        image.seek(0)
        image.load()
        turn = TURNS.get(image.getexif().get(ORIENTATION, 1)) if kind == "Jpeg" else None
        if kind == "Jpeg" and image.mode == "RGB" and max(image.size) <= most_side and not turn:
            image.info = {}  # a comment is written again else
            return image, None, False
        return smaller(strips_of(image), image.size, most_side, taken), turn, moves


def make_room(image: Image.Image, kind: str, per_pixel: int) -> int:
    """Return the bytes of the picture once it is decoded, a JPEG as small as it must be. Raises TooManyPixels."""
    pixels = image.width * image.height
    if kind == "Jpeg":
        while_decoding = coefficients(image)
        fits = [
            scale
            for scale in (1, 2, 4, 8)
            if pixels * 4 / scale**2 <= min(LARGEST_DECODED, BUDGET - while_decoding)
        ]
        if not fits:
            raise TooManyPixels
        image.draft(None, (image.width // fits[0], image.height // fits[0]))
        return image.width * image.height * 4
    if pixels * per_pixel > BUDGET or pixels * 4 > LARGEST_DECODED:
        raise TooManyPixels
    return pixels * 4


def coefficients(image: Any) -> int:
    """Return the bytes that libjpeg keeps of a progressive JPEG, whatever size is asked for: 2 for each sample."""
    if not image.info.get("progressive"):
        return 0
    samples = [across * down for _, across, down, *_ in image.layer]
    return int(image.width * image.height * 2 * sum(samples) / max(samples))


def is_moving(image: Any) -> bool:
    """Tell whether there is a second frame."""
    try:
        image.seek(1)
    except EOFError:
        return False
    return True


def put(made: Image.Image, top: int, strip: Image.Image, height: int) -> None:
    """Put the rows of a strip that begins at `top` where they belong in the smaller picture."""
    scale = made.height / height
    first, last = round(top * scale), round((top + strip.height) * scale)
    if last > first:
        made.paste(strip.resize((made.width, last - first), Image.Resampling.LANCZOS), (0, first))


def strips_of(image: Image.Image) -> Iterator[Strip]:
    """Give a picture that was decoded strip by strip."""
    rows = max(1, STRIP // image.width)
    for top, bottom in pairwise([*range(0, image.height, rows), image.height]):
        yield top, on_white(image.crop((0, top, image.width, bottom)))


def on_white(strip: Image.Image) -> Image.Image:
    """Return a strip without transparency."""
    if not strip.has_transparency_data:
        return strip.convert("RGB")
    seen = strip.convert("RGBA")
    paper = Image.new("RGB", seen.size, "white")
    paper.paste(seen, mask=seen.getchannel("A"))
    return paper


Shape = tuple[int, int, bytes, int]


def png_shape(file: IO[bytes]) -> Shape | None:
    """Return width, height, the rest of the header and the bytes a pixel of a PNG that can be decoded in strips.

    None where it is interlaced or has not 8 bits a channel. https://www.w3.org/TR/png-3/#11IHDR
    """
    file.seek(16)
    width, height, depth, colour, *more = struct.unpack(">IIBBBBB", file.read(13))
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour)
    if depth != 8 or more != [0, 0, 0] or channels is None:
        return None
    if width * height > LARGEST_PNG_PIXELS or max(width, height) > LONGEST_PNG_SIDE:
        raise TooManyPixels
    if not width or not height:
        raise ValueError
    return width, height, bytes([depth, colour, *more]), channels


def png_strips(file: IO[bytes], shape: Shape) -> Iterator[Strip]:
    """Decode a PNG strip by strip: each becomes a small PNG of its own, below the last row of the strip before."""
    width, height, rest, channels = shape
    row, rows = 1 + width * channels, max(1, STRIP // width)
    colours: list[bytes] = []
    packed, unpack, before, top = png_data(file, colours), zlib.decompressobj(), b"", 0
    lines = bytearray()
    while top < height:
        wanted = min(rows, height - top)
        while len(lines) < wanted * row:
            source = unpack.unconsumed_tail or next(packed, b"")
            lines += unpack.decompress(source, wanted * row - len(lines))
            if not source:
                raise EOFError
        head = struct.pack(">II", width, wanted + bool(before)) + rest
        inner = zlib.compress((b"\0" + before if before else b"") + bytes(lines), 0)
        small = PNG + chunk(b"IHDR", head) + b"".join(colours) + chunk(b"IDAT", inner) + chunk(b"IEND", b"")
        lines.clear()
        with Image.open(BytesIO(small), formats=["PNG"]) as image:
            image.load()
            strip = image.crop((0, bool(before), width, image.height))
        before = strip.crop((0, wanted - 1, width, wanted)).tobytes()
        yield top, on_white(strip)
        top += wanted


def png_data(file: IO[bytes], colours: list[bytes]) -> Iterator[bytes]:
    """Give the packed pixels piece by piece; palette and transparency, which come before them, go into `colours`."""
    file.seek(len(PNG))
    while True:
        size, name = struct.unpack(">I4s", file.read(8))
        if name == b"IEND":
            return
        if name in (b"PLTE", b"tRNS"):
            if size > 768 or len(colours) > 1:
                raise ValueError
            colours.append(chunk(name, file.read(size)))
        elif name == b"IDAT":
            while size:
                piece = file.read(min(size, 65_536))
                if not piece:
                    raise EOFError
                size -= len(piece)
                yield piece
        else:
            file.seek(size, 1)
        file.seek(4, 1)  # the checksum


def chunk(name: bytes, data: bytes) -> bytes:
    """Return one chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def encoded(image: Image.Image, kind: str) -> tuple[bytes, str]:
    """Return the pixels as a file and its type: as PNG where that is small, else as JPEG."""
    if kind != "Jpeg":
        with suppress(TooLarge):
            as_png = Small()
            image.save(as_png, "PNG")
            return as_png.getvalue(), "image/png"
    as_jpeg = BytesIO()
    image.save(as_jpeg, "JPEG", quality=85)
    return as_jpeg.getvalue(), "image/jpeg"


if __name__ == "__main__":
    main()
