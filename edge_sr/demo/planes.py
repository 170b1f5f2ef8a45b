"""Pictures as the page gets them: one binary answer, a JSON header and then raw numbers for a canvas.

    4 bytes      little-endian length of the header, which ends at a multiple of 8 bytes from the start
    header       JSON in UTF-8; "planes": [{name, width, height, type, offset}], offset from the end of the header
    planes       row by row, little-endian: u8, u16 or f32; each begins at a multiple of 8 bytes

16-bit pictures stay 16-bit, so that window and level in the browser have all that is in the file.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping

import numpy as np

TYPES = {"uint8": "u8", "uint16": "u16", "float32": "f32"}
ALIGNMENT = 8


def answer(header: Mapping[str, object], planes: Mapping[str, np.ndarray]) -> Iterator[bytes | memoryview]:
    """The parts of the answer, without a copy of the pixels. planes: (H, W) by name, of a type in TYPES."""
    listed, offset = [], 0
    for name, plane in planes.items():
        height, width = plane.shape
        kind = TYPES[plane.dtype.name]
        listed.append({"name": name, "width": width, "height": height, "type": kind, "offset": offset})
        offset += _padded(plane.nbytes)
    text = json.dumps({**header, "planes": listed}, allow_nan=False).encode()
    text += b" " * (_padded(len(text) + 4) - len(text) - 4)
    yield struct.pack("<I", len(text)) + text
    for plane in planes.values():
        whole = np.ascontiguousarray(plane, plane.dtype.newbyteorder("<"))
        yield whole.reshape(-1).view(np.uint8).data
        yield bytes(_padded(plane.nbytes) - plane.nbytes)


def _padded(n_bytes: int) -> int:
    return -(-n_bytes // ALIGNMENT) * ALIGNMENT
