"""Where INT8 goes, and how it is written: Q/DQ pairs in the composed graph.

``placement`` names the places, ``insert_qdq`` writes the pairs there from the ranges that a calibration observed or a
training learnt. The build and quantisation-aware training both take the places from here, so what is trained is what
runs. Plain onnx, no PyTorch.

``grid``: codes and scales of the two flavours. ``placement``: the rules of where. ``write``: the pairs.
"""

from __future__ import annotations

from build_engines.quantize.grid import FLAVOURS, WEIGHT_LEVELS, Flavour, grid, weight_grid
from build_engines.quantize.placement import (
    OUT_AXIS,
    Convolution,
    Placement,
    Ranges,
    Reader,
    placement,
    single_placements,
)
from build_engines.quantize.write import insert_qdq

__all__ = [
    "FLAVOURS",
    "OUT_AXIS",
    "WEIGHT_LEVELS",
    "Convolution",
    "Flavour",
    "Placement",
    "Ranges",
    "Reader",
    "grid",
    "insert_qdq",
    "placement",
    "single_placements",
    "weight_grid",
]
