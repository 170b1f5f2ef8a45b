"""Real files broken in every way a cable, a disk or a hand breaks them, from a seed."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np

from tests.reliability.pictures import encoded, grey, png

Draw = np.random.Generator
Mutation = Callable[[bytes, Draw], bytes]


def sources() -> list[tuple[str, bytes]]:
    """(suffix, content) of whole files: each format and the variants that its readers treat apart."""
    eight, sixteen = grey(1), grey(2, bits=16)
    colour = np.stack([grey(3), grey(3), grey(3)], axis=-1)
    return [
        (".png", encoded(eight)),
        (".png", encoded(sixteen)),
        (".png", encoded(colour)),
        (".png", encoded(eight > 127)),
        (".png", png(4, 200, 200)),
        (".tif", encoded(eight, "TIFF")),
        (".tif", encoded(sixteen, "TIFF", compression="tiff_adobe_deflate")),
        (".tif", encoded(eight, "TIFF", compression="tiff_lzw")),
        (".tif", encoded(eight, "TIFF", compression="packbits")),
        (".tif", encoded(eight > 127, "TIFF", compression="group4")),
        (".tif", encoded(eight, "TIFF", compression="jpeg")),
        (".tif", encoded(eight, "TIFF", big_tiff=True)),
        (".jpg", encoded(eight, "JPEG")),
        (".jpg", encoded(colour, "JPEG", progressive=True)),
    ]


def _flip_bits(content: bytes, draw: Draw) -> bytes:
    broken = bytearray(content)
    for place in draw.integers(0, len(broken), int(draw.integers(1, 9))):
        broken[place] ^= 1 << int(draw.integers(8))
    return bytes(broken)


def _other_header(content: bytes, draw: Draw) -> bytes:
    """Bytes near the start, where lengths, sizes and offsets stand, become others."""
    broken = bytearray(content)
    for place in draw.integers(0, min(64, len(broken)), int(draw.integers(1, 5))):
        broken[place] = int(draw.integers(256))
    return bytes(broken)


def _cut(content: bytes, draw: Draw) -> bytes:
    return content[: int(draw.integers(0, len(content)))]


def _hole(content: bytes, draw: Draw) -> bytes:
    """A block of zeros, as of a disk sector that was never written."""
    start = int(draw.integers(0, len(content)))
    size = int(draw.integers(1, 513))
    return content[:start] + bytes(len(content[start : start + size])) + content[start + size :]


def _missing(content: bytes, draw: Draw) -> bytes:
    start, size = int(draw.integers(0, len(content))), int(draw.integers(1, 257))
    return content[:start] + content[start + size :]


def _repeated(content: bytes, draw: Draw) -> bytes:
    start, size = int(draw.integers(0, len(content))), int(draw.integers(1, 257))
    return content[: start + size] + content[start:]


def _more(content: bytes, draw: Draw) -> bytes:
    return content + draw.bytes(int(draw.integers(1, 4096)))


def _noise(content: bytes, draw: Draw) -> bytes:
    """The first bytes that tell the format, and nothing sensible after them."""
    return content[: int(draw.integers(2, 17))] + draw.bytes(int(draw.integers(0, 4096)))


def _chimera(content: bytes, draw: Draw) -> bytes:
    other = SOURCES[int(draw.integers(len(SOURCES)))][1]
    return content[: int(draw.integers(1, len(content)))] + other[int(draw.integers(0, len(other))) :]


def _large_number(content: bytes, draw: Draw) -> bytes:
    """Two or four bytes become a number at the edge of what they hold."""
    size = int(draw.choice([2, 4]))
    number = int(draw.choice([0, 1, 1 << (8 * size - 1), (1 << 8 * size) - 1]))
    start = int(draw.integers(0, max(1, min(len(content), 512) - size)))
    return content[:start] + number.to_bytes(size, "big" if draw.integers(2) else "little") + content[start + size :]


def _valid_crc(content: bytes, draw: Draw) -> bytes:
    """A PNG whose chunk was changed and given the checksum that fits: only what it says is wrong."""
    if not content.startswith(b"\x89PNG"):
        return _large_number(content, draw)
    places = list(_chunks(content))
    start, size = places[int(draw.integers(len(places)))]
    body = bytearray(content[start + 4 : start + 8 + size])  # kind and data
    body[int(draw.integers(4, len(body))) if size else 0] ^= 1 << int(draw.integers(8))
    crc = struct.pack(">I", zlib.crc32(body))
    return content[: start + 4] + bytes(body) + crc + content[start + 12 + size :]


def _chunks(content: bytes) -> Iterator[tuple[int, int]]:
    start = 8
    while start < len(content):
        (size,) = struct.unpack_from(">I", content, start)
        yield start, size
        start += 12 + size


SOURCES = sources()
MUTATIONS: tuple[Mutation, ...] = (
    _flip_bits,
    _other_header,
    _cut,
    _hole,
    _missing,
    _repeated,
    _more,
    _noise,
    _chimera,
    _large_number,
    _valid_crc,
)


def mutant(seed: int) -> tuple[str, bytes]:
    """(suffix, content). Some are still whole pictures, or whole but for their end."""
    draw = np.random.default_rng(seed)
    suffix, content = SOURCES[seed % len(SOURCES)]
    broken = MUTATIONS[int(draw.integers(len(MUTATIONS)))](content, draw)
    return suffix, broken or b"\0"  # an empty file is a case of its own, among the hostile names
