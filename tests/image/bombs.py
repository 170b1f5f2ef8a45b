"""Sixty-one small files that ask for gigabytes or for ever, by name."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from functools import cache

import numpy as np
from PIL import Image

ZEROS = 1 << 28  # bytes that the compressed ones expand to
HUGE = [(20_000, 20_000), (65_535, 65_535), (1 << 30, 8), (8, 1 << 30), (0x7FFFFFFF, 0x7FFFFFFF), (50_000, 2_000)]
TIFF_COMPRESSIONS = {"raw": 1, "lzw": 5, "jpeg": 7, "deflate": 8, "packbits": 32773}


@cache
def squeezed(size: int = ZEROS) -> bytes:
    packer = zlib.compressobj(9)
    part = bytes(1 << 22)
    return b"".join([packer.compress(part) for _ in range(size // len(part))] + [packer.flush()])


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *parts: bytes, bits: int = 8, colour: int = 0, interlace: int = 0) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(parts) + chunk(b"IEND", b"")


def pngs() -> Iterator[tuple[str, bytes]]:
    rows = zlib.compress(bytes(65 * 64))
    idat, end = chunk(b"IDAT", rows), squeezed()
    for width, height in HUGE:
        yield f"png says {width}x{height}", png(width, height, idat)
        yield f"png says {width}x{height} of 16-bit RGBA", png(width, height, idat, bits=16, colour=6)
    for interlace in (0, 1):
        yield f"png pixels without end, interlace {interlace}", png(64, 64, chunk(b"IDAT", end), interlace=interlace)
        yield f"png largest allowed of nothing, {interlace}", png(2000, 2000, chunk(b"IDAT", rows), interlace=interlace)
    yield "png zTXt", png(64, 64, chunk(b"zTXt", b"Comment\0\0" + end), idat)
    yield "png iTXt", png(64, 64, chunk(b"iTXt", b"Comment\0\1\0\0\0" + end), idat)
    yield "png iCCP", png(64, 64, chunk(b"iCCP", b"profile\0\0" + end), idat)
    yield "png twenty zTXt", png(64, 64, chunk(b"zTXt", b"Comment\0\0" + squeezed(1 << 26)) * 20, idat)
    yield "png zTXt behind the pixels", png(64, 64, idat, chunk(b"zTXt", b"Comment\0\0" + end))
    yield "png eXIf", png(64, 64, chunk(b"eXIf", tiff(64, 64, 1, b"", count=1 << 30)), idat)
    yield "png half a million chunks", png(64, 64, chunk(b"tEXt", b"a\0") * (1 << 19), idat)
    yield "png of 2^31 frames", png(64, 64, chunk(b"acTL", struct.pack(">II", 0x7FFFFFFF, 0)), idat)
    yield "png palette", png(64, 64, chunk(b"PLTE", bytes(3 << 20)), idat, colour=3)


def tiff(width: int, height: int, compression: int, body: bytes, *, bits: int = 8, count: int = 1, loop: bool = False,
         samples: int = 1, rows: int = 0) -> bytes:  # fmt: skip
    fields = {256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, bits), 259: (3, 1, compression), 262: (3, 1, 1),
              273: (4, count, 8), 277: (3, 1, samples), 278: (4, 1, rows or height),
              279: (4, count, len(body))}  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, *field) for tag, field in fields.items())
    directory = 8 + len(body)
    following = struct.pack("<I", directory if loop else 0)
    return b"II*\0" + struct.pack("<I", directory) + body + struct.pack("<H", len(fields)) + entries + following


def tiffs() -> Iterator[tuple[str, bytes]]:
    for name, compression in TIFF_COMPRESSIONS.items():
        body = squeezed() if name == "deflate" else bytes(range(256)) * 64
        for width, height in HUGE[:3]:
            yield f"tiff {name} says {width}x{height}", tiff(width, height, compression, body)
        yield f"tiff {name} strip without end", tiff(64, 64, compression, body)
    yield "tiff of 2^30 strips", tiff(64, 64, 1, bytes(4096), count=1 << 30)
    yield "tiff directory of itself", tiff(64, 64, 1, bytes(4096), loop=True)
    yield "tiff of 65535 channels", tiff(2000, 2000, 1, bytes(4096), samples=65535)
    yield "tiff of one row a strip", tiff(8, 400_000, 1, bytes(4096), rows=1)
    yield "bigtiff of 2^60 entries", b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 1 << 60)


def jpeg(*, scans: int = 1, progressive: bool = False) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(file, "JPEG", progressive=progressive)
    content = file.getvalue()
    scan = content[content.rindex(b"\xff\xda") : -2]
    return content[:-2] + scan * (scans - 1) + content[-2:]


def resized(content: bytes, width: int, height: int) -> bytes:
    frame = max(content.find(b"\xff\xc0"), content.find(b"\xff\xc2"))
    return content[: frame + 5] + struct.pack(">HH", height, width) + content[frame + 9 :]


def jpegs() -> Iterator[tuple[str, bytes]]:
    for progressive in (False, True):
        kind = "progressive jpeg" if progressive else "jpeg"
        for width, height in ((65_500, 65_500), (65_535, 65_535), (2000, 2000), (65_535, 8)):
            yield f"{kind} says {width}x{height}", resized(jpeg(progressive=progressive), width, height)
    yield "jpeg of no height", resized(jpeg(), 64, 0)
    yield "jpeg of 20,000 scans", resized(jpeg(scans=20_000, progressive=True), 2000, 2000)
    yield "jpeg of 400 comments", jpeg()[:2] + (b"\xff\xfe\xff\xff" + bytes(65533)) * 400 + jpeg()[2:]


BOMBS = dict([*pngs(), *tiffs(), *jpegs()])
