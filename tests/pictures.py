"""Pictures for tests, honest and hostile, each made here: no file of anybody's is kept."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from random import Random
from typing import Any

from PIL import Image

GPS, MAKER = 0x8825, 0x010F


def picture(
    width: int = 60, height: int = 40, kind: str = "PNG", colour: str = "#3c5a3e", **more: Any
) -> bytes:
    """A picture of one colour."""
    return encoded(Image.new("RGB", (width, height), colour), kind, **more)


def photo(width: int, height: int, kind: str = "JPEG", mode: str = "RGB", **more: Any) -> bytes:
    """A picture with as much in it as a photo."""
    small = (max(1, width // 8), max(1, height // 8))
    noise = Image.frombytes("RGB", small, Random(1).randbytes(small[0] * small[1] * 3))
    return encoded(noise.resize((width, height)).convert(mode), kind, **more)


def encoded(image: Image.Image, kind: str, **more: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **more)
    return file.getvalue()


def with_location(orientation: int = 1) -> bytes:
    """A phone's photo: 40 by 20, red on its left half, with place, maker and comment in it."""
    image = Image.new("RGB", (40, 20), "blue")
    image.paste("red", (0, 0, 20, 20))
    exif = Image.Exif()
    exif[MAKER], exif[0x0112] = "A phone of mine", orientation
    exif[GPS] = {1: "N", 2: (50.0, 5.0, 14.0), 3: "E", 4: (14.0, 25.0, 12.0)}
    return encoded(image, "JPEG", exif=exif, comment=b"at home", quality=95)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bomb(width: int = 30_000, height: int = 30_000) -> bytes:
    """A PNG of few bytes that would need gigabytes."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + width * 3)) for _ in range(40)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


SVG = b"""<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>"""
HTML = b"<!doctype html><script>alert(1)</script>"
