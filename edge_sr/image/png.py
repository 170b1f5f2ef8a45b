"""PNG files: written with text chunks, their chunks checked, their text read back.

Formats and section numbers: Portable Network Graphics (PNG) Specification, third edition, https://www.w3.org/TR/png-3/.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edge_sr.errors import EdgeSRError, InputError
from edge_sr.image.atomic import read_whole, write_atomically
from edge_sr.image.refusals import Refused

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_FILE_BYTES = 1 << 30
GREY, RGB = 0, 2  # colour types, section 11.2.1
FILTER_UP = 2  # section 9.2
PART = 1 << 20  # bytes of pixels at a time; each part has its own IDAT chunk, so a small picture has one


def write_png(
    path: Path | str, pixels: np.ndarray, *, text: Mapping[str, str], level: int = 1, overwrite: bool = False
) -> None:
    """Write pixels, (H, W) uint8 or uint16 or (H, W, 3) uint8, with text, atomically; see write_atomically for errors.

    The bytes depend on the arguments alone: no date is written.
    """
    write_atomically(Path(path), encode_png(pixels, text=text, level=level), overwrite=overwrite)


def encode_png(pixels: np.ndarray, *, text: Mapping[str, str], level: int = 1) -> bytes:
    """The PNG file of pixels; see png_parts."""
    return b"".join(png_parts(pixels, text=text, level=level))


def png_parts(pixels: np.ndarray, *, text: Mapping[str, str], level: int = 1) -> Iterator[bytes]:
    """The PNG file of pixels, (H, W) uint8 or uint16 or (H, W, 3) uint8, piece by piece.

    Some rows at a time are filtered and packed, so a large picture needs little memory beside its pixels.
    level: 1 is Huffman coding of the differences between rows, with run lengths where many rows are alike: a third of
    the time of Pillow's level 1 and no larger on radiographs, whose noise holds no longer matches. 2 to 9 are zlib's.
    """
    colour = RGB if pixels.ndim == 3 else GREY
    shape_fits = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8)
    if not shape_fits or pixels.dtype.newbyteorder("=") not in (np.uint8, np.uint16) or pixels.size == 0:
        got = f"{pixels.dtype}{list(pixels.shape)}"
        raise EdgeSRError(f"cannot write {got} as PNG", expected="(H, W) u8 or u16, (H, W, 3) u8")
    height, width = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 8 * pixels.itemsize, colour, 0, 0, 0)
    texts = [_text_chunk(key, value) for key, value in text.items()]
    yield b"".join([SIGNATURE, _chunk(b"IHDR", header), *texts])
    rows = max(1, PART // pixels[0].nbytes)
    part = _filtered_up(pixels, 0, min(rows, height))
    packer = _packer(level, part)
    for top in range(0, height, rows):
        packed = packer.compress(part if top == 0 else _filtered_up(pixels, top, min(top + rows, height)))
        if top + rows >= height:
            packed += packer.flush()
        if packed:
            yield _chunk(b"IDAT", packed)
    yield _chunk(b"IEND", b"")


def _packer(level: int, first: np.ndarray) -> Any:
    """zlib's compressor. first: the first rows, filtered; those of a small picture are all of it."""
    if level != 1:
        return zlib.compressobj(level, zlib.DEFLATED, 15, 9, zlib.Z_FILTERED)
    # Looking for runs takes a third of the time, and gains one part in fifty where less than half of all is nought.
    runs = first.nbytes >= PART or 2 * np.count_nonzero(first) < first.size
    # 7: blocks of 8192 differences, each with a code of its own, come out smaller than 9's of 32768.
    return zlib.compressobj(1, zlib.DEFLATED, 15, 7, zlib.Z_RLE if runs else zlib.Z_HUFFMAN_ONLY)


def _filtered_up(pixels: np.ndarray, top: int, bottom: int) -> np.ndarray:
    """These rows, each as its difference to the row above, behind the filter's number; samples are big-endian (section
    7.2)."""
    above = max(top - 1, 0)
    part = pixels[above:bottom]
    rows = np.ascontiguousarray(part, pixels.dtype.newbyteorder(">")).view(np.uint8).reshape(len(part), -1)
    filtered = np.empty((bottom - top, rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = FILTER_UP
    if top == 0:
        filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[len(filtered) - len(rows) + 1 :, 1:])  # modulo 256, as it is defined
    return filtered


def _chunk(kind: bytes, body: bytes) -> bytes:
    return b"".join((struct.pack(">I", len(body)), kind, body, struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))))


def _text_chunk(key: str, value: str) -> bytes:
    """tEXt where Latin-1 holds the value, else iTXt with UTF-8 (section 11.3.3)."""
    if not (0 < len(key) < 80 and key.isascii() and key.isprintable()) or "\0" in value:
        raise EdgeSRError(f"cannot store the text {key!r} in a PNG", expected="an ASCII key of 1 to 79, no NUL")
    try:
        return _chunk(b"tEXt", key.encode("ascii") + b"\0" + value.encode("latin-1"))
    except UnicodeEncodeError:
        return _chunk(b"iTXt", key.encode("ascii") + b"\0\0\0\0\0" + value.encode("utf-8"))


def read_text(path: Path | str) -> dict[str, str]:
    """The uncompressed text chunks of a PNG, by key; InputError where it is not a whole PNG. No pixel is decoded."""
    where = Path(path)
    content = read_whole(where, max_bytes=MAX_FILE_BYTES)
    if not content.startswith(SIGNATURE):
        raise InputError("is not a PNG", where=where)
    return dict(text for kind, body in chunks(content, where) if (text := _parse_text(kind, body)))


def _parse_text(kind: bytes, body: bytes) -> tuple[str, str] | None:
    key, _, rest = body.partition(b"\0")
    if kind == b"tEXt":
        return key.decode("latin-1"), rest.decode("latin-1")
    if kind == b"iTXt" and rest[:1] == b"\0":  # compression flag, method, language, translated key, text
        return key.decode("latin-1"), rest[2:].split(b"\0", 2)[-1].decode("utf-8", "replace")
    return None


def chunks(content: bytes, where: object) -> Iterator[tuple[bytes, bytes]]:
    """Every chunk of a PNG up to IEND, as kind and body; InputError where one is cut short or fails its CRC.

    Pillow neither checks the CRC of the pixels nor misses a lost end, and a flipped bit would pass as anatomy.
    """
    position, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        if position + 12 > len(content):
            raise Refused("png-truncated", where=where)
        length, kind = struct.unpack_from(">I4s", content, position)
        body = content[position + 8 : position + 8 + length]
        stored = content[position + 8 + length : position + 12 + length]
        if len(stored) < 4:
            raise Refused("png-truncated", where=where)
        if zlib.crc32(body, zlib.crc32(kind)) != int.from_bytes(stored, "big"):
            # Another chunk's name is not told: any four bytes may stand there.
            raise Refused("png-crc-pixels" if kind == b"IDAT" else "png-crc", where=where)
        yield kind, body
        position += 12 + length
