"""Pictures to send to the demo, and reading those that it answers."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

from edge_sr.image.png import encode_png

KINDS = {"u8": np.uint8, "u16": np.uint16, "f32": np.float32}


def png(side: int = 64, *, width: int | None = None, bits: int = 8, seed: int = 0) -> bytes:
    """A grey picture of noise."""
    levels = np.random.default_rng(seed).integers(60, 200, (side, width or side))
    return encode_png((levels * (1 if bits == 8 else 257)).astype(f"uint{bits}"), text={})


def parsed(content: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Header and planes of a binary answer, read as the page reads them."""
    (length,) = struct.unpack_from("<I", content)
    header = json.loads(content[4 : 4 + length])
    planes = {}
    for each in header["planes"]:
        count, start = each["width"] * each["height"], 4 + length + each["offset"]
        plane = np.frombuffer(content, np.dtype(KINDS[each["type"]]).newbyteorder("<"), count, start)
        planes[each["name"]] = plane.reshape(each["height"], each["width"])
    return header, planes
