"""A last look at what came back: an engine that overflows or reads stale memory must not become a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edge_sr.errors import AccuracyError
from edge_sr.tensors import Tensors

_FLAT = 0.1  # of the grey range: a tile as even as that may be clipped to one value
_HINT = "edge-sr build --precision fp32, and edge-sr engines verify"


def check_outputs(outputs: Tensors, inputs: Mapping[str, np.ndarray], where: Path) -> None:
    """AccuracyError for NaN or Inf, and for a picture of one value whose input is far from that.

    Pictures are tensors of four axes, one each along the first. Least and largest value tell all of it: both are NaN
    where any value is.
    """
    for name, output in outputs.items():
        if output.dtype.kind != "f" or output.size == 0:
            continue
        rows = output.reshape(output.shape[0] if output.ndim == 4 else 1, -1)
        least, most = rows.min(axis=1), rows.max(axis=1)
        if not (np.isfinite(least).all() and np.isfinite(most).all()):
            raise AccuracyError(f"{name} holds NaN or Inf", where=where, hint=_HINT)
        if output.ndim == 4 and rows.shape[1] > 1 and (least == most).any():
            _check_constant(name, np.flatnonzero(least == most), inputs, where)


def _check_constant(name: str, rows: np.ndarray, inputs: Mapping[str, np.ndarray], where: Path) -> None:
    """A constant picture of an even one is right: collimated corners make such tiles."""
    for row in rows:
        for picture in inputs.values():
            if picture.ndim == 4 and row < len(picture) and np.ptp(picture[row]) > _FLAT:
                what = f"{name} is one value all over for picture {row}, its input is not"
                raise AccuracyError(what, where=where, hint=_HINT)
