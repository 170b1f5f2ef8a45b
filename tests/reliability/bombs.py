"""Small files that ask for much memory or time when they are opened."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from tests.reliability.pictures import encoded, grey

# Width, height, bits, colour. Some pass a limit of 16 million pixels and make a result of 16 times as many.
SHAPES = (
    (18_000, 18_000, 8, 0),
    (15_900, 1_000, 16, 6),
    (7_900, 8_000, 8, 0),
    (100_000, 3_000, 1, 0),
    (30_000, 30_000, 1, 0),
    (4_000, 4_000, 8, 6),
    (12_000, 12_000, 16, 0),
    (12_000, 12_000, 16, 2),
    (12_000, 12_000, 8, 4),
    (60_000, 60_000, 1, 0),
    (40_000, 40_000, 2, 0),
    (25_000, 25_000, 4, 0),
    (65_500, 2_000, 8, 2),
    (8, 2_000_001, 8, 0),
    (2_000_001, 8, 16, 0),
    (4_001, 4_001, 8, 6),
    (4_001, 4_001, 16, 6),
    (20_000, 20_000, 8, 2),
    (1, 300_000_000, 8, 0),
    (3_999, 3_999, 16, 4),
)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of(
    width: int, height: int, *, bits: int, colour: int, lines: int | None = None, interlaced: bool = False
) -> bytes:
    """A PNG of zeros. colour: 0 grey, 2 RGB, 4 grey with alpha, 6 RGBA. lines: so many are there; without, all."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    row = 1 + (width * channels * bits + 7) // 8
    packed = _zeros(row * (height if lines is None else lines))
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _zeros(size: int) -> bytes:
    """A zlib stream of so many zeros; RFC 1950 and 1951. One block is packed once and repeated."""
    whole, rest = divmod(size, len(_BLOCK))
    last = zlib.compressobj(9, zlib.DEFLATED, -15)
    end = last.compress(bytes(rest)) + last.flush()
    adler = 1 | (size % 65521) << 16
    return b"\x78\xda" + _PACKED * whole + end + struct.pack(">I", adler)


def _packed(block: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)


_BLOCK = bytes(1 << 20)
_PACKED = _packed(_BLOCK)


def _png_texts() -> Iterator[bytes]:
    """Pictures of 64x64 whose text or profile is the bomb."""
    good = encoded(grey(5))
    for mib in (8, 64, 200):
        body = _zeros(mib << 20)
        for kind, head in ((b"zTXt", b"Comment\0\0"), (b"iTXt", b"Comment\0\1\0\0\0"), (b"iCCP", b"profile\0\0")):
            yield good[:33] + _chunk(kind, head + body) + good[33:]
    many = b"".join(_chunk(b"zTXt", b"k%d\0\0" % number + _zeros(1 << 20)) for number in range(100))
    yield good[:33] + many + good[33:]


def _tiff(entries: list[tuple[int, int, int, int]], *, after: bytes = b"", following: int = 0) -> bytes:
    """Little-endian, one directory at 8. entries: (tag, type, count, value)."""
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", following) + after


def _grey_tiff(width: int, height: int, *, bits: int = 8, packing: int = 1, strip: bytes = b"", **more: int) -> bytes:
    at = 8 + 2 + 12 * 9 + 4
    rows = more.get("rows", height)
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, bits),
        (259, 3, 1, packing),
        (262, 3, 1, 1),
        (273, 4, 1, at),
        (277, 3, 1, 1),
        (278, 4, 1, rows),
        (279, 4, more.get("count", 1), more.get("size", len(strip))),
    ]
    return _tiff(entries, after=strip, following=more.get("following", 0))


def _tiffs() -> Iterator[bytes]:
    for side in (9_000, 20_000, 40_000, 65_000):
        yield _grey_tiff(side, side, packing=8, strip=_zeros(min(side * side, 300 << 20)))
    for width, height in ((1 << 31, 1 << 31), ((1 << 32) - 1, 8), (65_535, 65_535)):
        yield _grey_tiff(width, height, strip=bytes(64))
    yield _grey_tiff(64, 64, strip=bytes(4096), count=(1 << 32) - 1)  # four thousand million strip lengths
    yield _grey_tiff(64, 64, strip=bytes(4096), size=(1 << 32) - 1)
    yield _grey_tiff(64, 64, strip=bytes(4096), following=8)  # its own next directory
    yield _grey_tiff(20_000, 20_000, packing=32773, strip=b"\x81\0" * 200_000)  # PackBits
    yield _grey_tiff(16_000, 16_000, bits=16, packing=8, strip=_zeros(512_000_000))
    yield _tiff([(256, 4, 1, 64), (257, 4, 1, 64), (270, 2, (1 << 31) - 1, 8)])
    pages = io.BytesIO()
    first, *rest = [Image.fromarray(grey(each)) for each in range(200)]
    first.save(pages, "TIFF", save_all=True, append_images=rest)
    yield pages.getvalue()


def _jpegs() -> Iterator[bytes]:
    """The size in the header is not that of the picture; progressive ones keep all of it in memory."""
    for progressive in (False, True):
        content = encoded(grey(6), "JPEG", progressive=progressive)
        place = content.index(b"\xff\xc2" if progressive else b"\xff\xc0") + 5
        for height, width in ((65_500, 65_500), (20_000, 20_000), (7_999, 8_000), (65_535, 64)):
            yield content[:place] + struct.pack(">HH", height, width) + content[place + 4 :]
    whole = encoded(grey(7), "JPEG", progressive=True)
    start = whole.index(b"\xff\xda")
    scan = whole[start : whole.index(b"\xff\xda", start + 2)] if whole.count(b"\xff\xda") > 1 else whole[start:-2]
    place = whole.index(b"\xff\xc2") + 5
    large = whole[:place] + struct.pack(">HH", 7_000, 9_000) + whole[place + 4 : start]
    yield large + scan * 2_000 + b"\xff\xd9"  # every scan goes through the whole picture again
    yield whole[:2] + b"".join(b"\xff\xe1\xff\xff" + bytes(65_533) for _ in range(100)) + whole[2:]


def bombs() -> Iterator[tuple[str, bytes]]:
    """60 of (suffix, content), the same ones each time."""
    for width, height, bits, colour in SHAPES:
        yield ".png", png_of(width, height, bits=bits, colour=colour)
    for side in (3_900, 18_000):
        yield ".png", png_of(side, side, bits=8, colour=0, interlaced=True)
    for width, height in (((1 << 31) - 1, (1 << 31) - 1), (1 << 20, 1 << 20), ((1 << 31) - 1, 8)):
        yield ".png", png_of(width, height, bits=8, colour=0, lines=0)
    yield ".png", png_of(64, 64, bits=8, colour=0, lines=4_000_000)  # far more lines than the header says
    yield from ((".png", each) for each in _png_texts())
    yield from ((".tif", each) for each in _tiffs())
    yield from ((".jpg", each) for each in _jpegs())
