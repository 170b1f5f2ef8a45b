"""PNG files: written with text chunks, their chunks checked, their text read back.

Formats and section numbers: Portable Network Graphics (PNG) Specification, third edition, https://www.w3.org/TR/png-3/.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from edge_sr.errors import EdgeSRError, InputError
from edge_sr.image.atomic import read_whole, write_atomically

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_FILE_BYTES = 1 << 30
GREY, RGB = 0, 2  # colour types, section 11.2.1
FILTER_UP = 2  # section 9.2


def write_png(
    path: Path | str, pixels: np.ndarray, *, text: Mapping[str, str], level: int = 1, overwrite: bool = False
) -> None:
    """Write pixels, (H, W) uint8 or uint16 or (H, W, 3) uint8, with text, atomically; see write_atomically for errors.

    The bytes depend on the arguments alone: no date is written.
    """
    write_atomically(Path(path), encode_png(pixels, text=text, level=level), overwrite=overwrite)


def encode_png(pixels: np.ndarray, *, text: Mapping[str, str], level: int = 1) -> bytes:
    """The PNG file of pixels, (H, W) uint8 or uint16 or (H, W, 3) uint8.

    level: 1 is run-length coding of the differences between rows: a third of the time of Pillow's level 1 and no
    larger on radiographs, whose noise holds no longer matches. 2 to 9 are zlib's levels.
    """
    colour = RGB if pixels.ndim == 3 else GREY
    shape_fits = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8)
    if not shape_fits or pixels.dtype.newbyteorder("=") not in (np.uint8, np.uint16) or pixels.size == 0:
        got = f"{pixels.dtype}{list(pixels.shape)}"
        raise EdgeSRError(f"cannot write {got} as PNG", expected="(H, W) u8 or u16, (H, W, 3) u8")
    height, width = pixels.shape[:2]
    packer = zlib.compressobj(level, zlib.DEFLATED, 15, 9, zlib.Z_RLE if level == 1 else zlib.Z_FILTERED)
    header = struct.pack(">IIBBBBB", width, height, 8 * pixels.itemsize, colour, 0, 0, 0)
    return b"".join(
        [SIGNATURE, _chunk(b"IHDR", header)]
        + [_text_chunk(key, value) for key, value in text.items()]
        + [_chunk(b"IDAT", packer.compress(_filtered_up(pixels)) + packer.flush()), _chunk(b"IEND", b"")]
    )


def _filtered_up(pixels: np.ndarray) -> bytes:
    """Each row as its difference to the row above, behind the filter's number; samples are big-endian (section 7.2)."""
    height = pixels.shape[0]
    rows = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">")).view(np.uint8).reshape(height, -1)
    filtered = np.empty((height, rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = FILTER_UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])  # modulo 256, as the filter is defined
    return filtered.tobytes()


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


def chunks(content: bytes, where: Path) -> Iterator[tuple[bytes, bytes]]:
    """Every chunk of a PNG up to IEND, as kind and body; InputError where one is cut short or fails its CRC.

    Pillow neither checks the CRC of the pixels nor misses a lost end, and a flipped bit would pass as anatomy.
    """
    position, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        if position + 12 > len(content):
            raise InputError("the PNG is truncated", where=where, hint="copy the file again")
        length, kind = struct.unpack_from(">I4s", content, position)
        body = content[position + 8 : position + 8 + length]
        stored = content[position + 8 + length : position + 12 + length]
        if len(stored) < 4:
            raise InputError("the PNG is truncated", where=where, hint="copy the file again")
        if zlib.crc32(body, zlib.crc32(kind)) != int.from_bytes(stored, "big"):
            raise InputError(f"the PNG is damaged: its {kind.decode('latin-1')} chunk fails its CRC", where=where)
        yield kind, body
        position += 12 + length
