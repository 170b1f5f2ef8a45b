"""Calibration tables broken on purpose."""

from __future__ import annotations

import json
from pathlib import Path


def broken(table: Path, into: Path, tensor: str, factor: float) -> Path:
    """The table with the range of one tensor multiplied, on both kinds of grid."""
    record = json.loads(table.read_text())
    for kind in ("asymmetric", "symmetric"):
        choice = record["tensors"][tensor][kind]
        choice |= {end: choice[end] * factor for end in ("min", "max", "amax") if end in choice}
    into.write_text(json.dumps(record))
    return into
