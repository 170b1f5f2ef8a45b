"""ranges.json: the activation ranges that a quantisation-aware training learnt, beside its weights.

    {"schema_version": 1, "flavour": "onnxruntime", "sampler": "ddim",
     "ranges": {"1": {"denoiser0/cat_1": [-4.4, 4.7], ...}, "2": {...}, "4": {...}}}

One table a number of steps, since each composed graph has its own tensors; their names are those of the graph that
``compose`` makes of the bundle that the training started from, and of any bundle with its weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from build_engines.quantize import FLAVOURS, Ranges
from edge_sr.artifacts.strict_json import Fields, parse_json
from edge_sr.errors import UsageError
from edge_sr.image.atomic import write_atomically

SCHEMA_VERSION = 1


def write_ranges(path: Path, tables: Mapping[int, Ranges], *, flavour: str, sampler: str) -> None:
    """tables: number of steps -> tensor -> least and greatest value."""
    ranges = {str(steps): {name: list(limits) for name, limits in table.items()} for steps, table in tables.items()}
    record = {"schema_version": SCHEMA_VERSION, "flavour": flavour, "sampler": sampler, "ranges": ranges}
    write_atomically(path, (json.dumps(record, indent=1, allow_nan=False) + "\n").encode(), overwrite=True)


def read_ranges(path: Path, *, steps: int) -> tuple[str, dict[str, tuple[float, float]]]:
    """Flavour and ranges for one number of steps.

    Raises UsageError where there is no such file or no table for these steps, IntegrityError for another kind of file.
    """
    if not path.is_file():
        raise UsageError("no such file", where=path, expected="the ranges of a training", hint="edge-sr-host train qat")
    top = Fields(parse_json(path.read_bytes(), path), f"{path}: ")
    top.only(["schema_version", "flavour", "sampler", "ranges"])
    top.choice("schema_version", (SCHEMA_VERSION,))
    flavour = str(top.choice("flavour", tuple(FLAVOURS)))
    tables = top.child("ranges")
    if str(steps) not in tables.raw:
        raise UsageError(f"no ranges for {steps} steps", where=path, expected=" or ".join(tables.raw))
    table = tables.child(str(steps))
    return flavour, {name: _limits(table, name) for name in table.raw}


def _limits(table: Fields, name: str) -> tuple[float, float]:
    low, high = table.take(name, "two numbers, the lower one first", _is_range)
    return float(low), float(high)


def _is_range(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(type(limit) in (int, float) for limit in value)
        and value[0] <= value[1]
    )
