"""The program that opens one picture: `python -I child.py MOST_SIDE < file > answer`; its memory ends with it.

`app.pictures` starts it. It imports Pillow and nothing of ours: what a hostile file does to a decoder happens in a
process without a key or a database, and where it falls, the file is broken. The answer is a line of JSON, then the
bytes of the new file. It needs at most 40 MB: a PNG is decoded in strips, a large JPEG smaller than it is, and of
anything else the pixels are counted first.
"""

from __future__ import annotations

import json
import resource
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from io import BytesIO
from itertools import pairwise
from typing import IO, Any

from PIL import Image, PngImagePlugin, UnidentifiedImageError, WebPImagePlugin  # noqa: F401 - else all are loaded
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

MOST_MEMORY = 48 * 1024 * 1024  # of its own; whatever needs more is broken
# The most pixels in memory, each of 4 bytes, and of what is decoded at once; WebP's decoder keeps three copies more.
BUDGET, LARGEST_DECODED, LARGEST_WEBP = 5_000_000, 3_500_000, 1_250_000
LARGEST_PNG_PIXELS, LONGEST_PNG_SIDE = 40_000_000, 30_000
STRIP = 100_000  # pixels
LARGEST_PNG = 1_000_000  # as a file; above it a JPEG is smaller
CHANNELS = {"L": 1, "P": 1, "LA": 2, "RGB": 3, "RGBA": 4}  # of 8 bits each
# What a PNG says beside its pixels is passed over, however long it is.
PNG_WORDS = ("tEXt", "zTXt", "iTXt", "iCCP", "eXIf")
ORIENTATION = 0x0112
TURNS = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_270, 8: Image.Transpose.ROTATE_90}

Strip = tuple[int, Image.Image]


class TooManyPixels(Exception):
    """It would need more memory than there is for it."""


class Small(BytesIO):
    """A file that stays small."""

    def write(self, data: Any) -> int:
        """Add to it. Raises OSError where it is full."""
        if self.tell() + len(data) > LARGEST_PNG:
            raise OSError
        return super().write(data)


def main() -> None:
    """Answer for the file at standard input."""
    Image.MAX_IMAGE_PIXELS = None  # they are counted here, before anything is decoded
    for name in PNG_WORDS:
        delattr(PngImagePlugin.PngStream, f"chunk_{name}")
    with suppress(ValueError, OSError):  # not every system has this limit
        resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    data = b""
    try:
        answer, data = reencode(sys.stdin.buffer, int(sys.argv[1]))
    except UnidentifiedImageError:
        answer = {"error": "unknown"}
    except TooManyPixels:
        answer = {"error": "pixels"}
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + data)


def reencode(file: IO[bytes], most_side: int) -> tuple[dict[str, Any], bytes]:
    """Return what the picture is, and a new file of nothing but its pixels. Raises TooManyPixels."""
    with Image.open(file, formats=["PNG", "JPEG", "GIF", "WEBP"]) as image:
        is_jpeg = isinstance(image, JpegImageFile)
        # A phone's photo may hold another one, which is no second frame.
        moves = not is_jpeg and getattr(image, "is_animated", False)
        if image.format == "PNG" and image.tile[0].args in CHANNELS and not image.info.get("interlace"):
            if image.width * image.height > LARGEST_PNG_PIXELS or max(image.size) > LONGEST_PNG_SIDE:
                raise TooManyPixels
            made = smaller(png_strips(image), image.size, most_side)
        else:
            made = from_whole(image, most_side)
    data, kind = encoded(made, is_jpeg=is_jpeg)
    return {"type": kind, "width": made.width, "height": made.height, "moves": moves}, data


def smaller(
    strips: Iterable[Strip], size: tuple[int, int], most_side: int, budget: int = BUDGET
) -> Image.Image:
    """Return what the strips show, with no side longer than `most_side` and so many pixels at most."""
    width, height = size
    scale = min(1.0, most_side / max(size), (budget / (width * height)) ** 0.5)
    made = Image.new("RGB", (max(1, round(width * scale)), max(1, round(height * scale))), "white")
    scale = made.height / height
    for top, strip in strips:
        first, last = round(top * scale), round((top + strip.height) * scale)
        if last > first:
            made.paste(strip.resize((made.width, last - first), Image.Resampling.LANCZOS), (0, first))
    return made


def from_whole(image: ImageFile, most_side: int) -> Image.Image:
    """Return a picture that is decoded at once, upright. Raises TooManyPixels."""
    if isinstance(image, JpegImageFile):
        shrink(image)
    elif image.width * image.height > (LARGEST_WEBP if image.format == "WEBP" else LARGEST_DECODED):
        raise TooManyPixels
    image.load()
    turn = TURNS.get(image.getexif().get(ORIENTATION, 1))
    if isinstance(image, JpegImageFile) and image.mode == "RGB" and max(image.size) <= most_side and not turn:
        image.info = {}  # a comment is written again else
        return image
    made = smaller(strips_of(image), image.size, most_side, BUDGET - image.width * image.height)
    image.close()
    return made.transpose(turn) if turn else made


def shrink(image: JpegImageFile) -> None:
    """Let a JPEG be decoded as small as it must be. Raises TooManyPixels."""
    pixels, room = image.width * image.height, LARGEST_DECODED
    if image.info.get("progressive"):  # of which libjpeg keeps 2 bytes a sample, whatever size is asked for
        samples = [across * down for _, across, down, *_ in image.layer]
        room = min(room, BUDGET - int(pixels * sum(samples) / max(samples) / 2))
    fits = [scale for scale in (1, 2, 4, 8) if pixels / scale**2 <= room]
    if not fits:
        raise TooManyPixels
    image.draft(None, (image.width // fits[0], image.height // fits[0]))


def strips_of(image: Image.Image) -> Iterator[Strip]:
    """Give a picture that was decoded strip by strip."""
    rows = max(1, STRIP // image.width)
    for top, bottom in pairwise([*range(0, image.height, rows), image.height]):
        yield top, on_white(image.crop((0, top, image.width, bottom)))


def png_strips(image: Any) -> Iterator[Strip]:
    """Decode a PNG strip by strip.

    Rows are written as their difference from the row above, so each strip is decoded with the last row of the one
    before: https://www.w3.org/TR/png-3/#9Filters
    """
    (width, height), mode = image.size, image.tile[0].args
    row, rows = 1 + width * CHANNELS[mode], max(1, STRIP // width)
    unpack, above, lines = zlib.decompressobj(), b"", bytearray()
    image.im = Image.new(mode, (1, 1)).im  # else there would be room for the whole picture
    image.load_prepare()
    for top, bottom in pairwise([*range(0, height, rows), height]):
        wanted = (bottom - top) * row
        while len(lines) < wanted:
            packed = unpack.unconsumed_tail or image.load_read(65_536)
            if not packed:
                raise EOFError
            lines += unpack.decompress(packed, wanted - len(lines))
        data, size = zlib.compress(above + lines, 0), (width, bottom - top + bool(above))
        strip = Image.frombytes(mode, size, data, "zip", mode)
        strip.info = image.info
        if mode == "P":
            strip.putpalette(image.palette)
        strip = strip.crop((0, bool(above), *size))
        above = b"\0" + strip.crop((0, strip.height - 1, *strip.size)).tobytes()
        lines.clear()
        yield top, on_white(strip)


def on_white(strip: Image.Image) -> Image.Image:
    """Return a strip without transparency."""
    if not strip.has_transparency_data:
        return strip.convert("RGB")
    seen = strip.convert("RGBA")
    paper = Image.new("RGB", seen.size, "white")
    paper.paste(seen, mask=seen.getchannel("A"))
    return paper


def encoded(image: Image.Image, *, is_jpeg: bool) -> tuple[bytes, str]:
    """Return the pixels as a file and its type: as PNG where that is small, else as JPEG."""
    if not is_jpeg:
        with suppress(OSError):
            as_png = Small()
            image.save(as_png, "PNG")
            return as_png.getvalue(), "image/png"
    as_jpeg = BytesIO()
    image.save(as_jpeg, "JPEG", quality=85)
    return as_jpeg.getvalue(), "image/jpeg"


if __name__ == "__main__":
    main()
