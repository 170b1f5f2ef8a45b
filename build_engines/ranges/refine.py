"""Ranges by what they do to the picture, for the tensors where the local error misjudges it.

A range that rounds its tensor best is not the one that leaves the picture best: of a residual most values are small and
make up the flat parts, the few large ones are edges and letters. So each range in turn, the last tensor first, is tried
narrower and wider, and what lowers the error of the whole chain against float32 stays. The error counts half by its
mean square, half by structural similarity, each in units of what it was at the start: the one alone would sacrifice
edges, the other flat parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import numpy as np
from onnx import ModelProto

from build_engines.check.comparison import Answer, answers
from build_engines.precision.quantiser import Quantiser
from build_engines.targets.base import Tell
from calibration.images import CalibrationImages
from calibration.observers import Range
from edge_sr.image.quality import ssim
from edge_sr.models.base import SRModel

FACTORS = (0.7, 0.85, 1.2, 1.45)  # of either end, and of both
LEAST_GAIN = 0.001  # of the error at the start; less is chance
PATIENCE = 8  # tensors in a row without a gain, then those before them are left: the first networks matter least
PICTURES = 16
FIDELITIES = (1.0, 0.0)

Open = Callable[[Mapping[str, ModelProto]], AbstractContextManager[SRModel]]
"""Opens the model that these graphs are."""


@dataclass(frozen=True)
class _Error:
    """mean_square: of pictures in [0, 1]. dissimilarity: 1 - SSIM. Both against float32, means over pictures."""

    mean_square: float
    dissimilarity: float

    def against(self, start: _Error) -> float:
        """1 where nothing changed."""
        parts = ((self.mean_square, start.mean_square), (self.dissimilarity, start.dissimilarity))
        return sum(mine / before if before else 1.0 for mine, before in parts) / 2


def refined_ranges(
    quantiser: Quantiser, reference: SRModel, open_model: Open, pictures: CalibrationImages, *, tell: Tell
) -> dict[str, Range]:
    """The ranges that differ from the quantiser's, by tensor.

    reference: in float32. pictures: PICTURES of them, evenly taken, are enough to tell ranges apart.
    """
    some = _evenly(pictures)
    expected = list(answers(reference, some, FIDELITIES))

    def error_of(ranges: Mapping[str, Range]) -> _Error:
        with open_model(replace(quantiser, ranges=ranges).graphs()) as model:
            return _error(expected, answers(model, some, FIDELITIES))

    ranges = dict(quantiser.ranges)
    start, best = error_of(ranges), 1.0
    changed: dict[str, Range] = {}
    idle = 0
    for name in reversed(quantiser.tensors):
        errors = {tried: error_of({**ranges, name: tried}).against(start) for tried in _around(ranges[name])}
        least = min(errors, key=lambda tried: errors[tried])
        idle += 1
        if errors[least] < best - LEAST_GAIN:
            best, idle = errors[least], 0
            ranges[name] = changed[name] = least
        if idle == PATIENCE:
            break
    count = f"{len(changed)} of {len(quantiser.tensors)}"
    tell(f"{quantiser.flavour}: {count} ranges changed by their effect on the picture, error x{best:.2f}")
    return changed


def _evenly(pictures: CalibrationImages) -> CalibrationImages:
    numbers = np.unique(np.linspace(0, len(pictures.lr) - 1, PICTURES).round().astype(int))
    seeds = tuple(pictures.noise_seeds[n] for n in numbers)
    return CalibrationImages(pictures.lr[numbers], pictures.sha256, seeds)


def _around(limits: Range) -> list[Range]:
    low, high = limits
    both = [(low * factor, high * factor) for factor in FACTORS]
    if not low < 0 < high or low == -high:
        return both
    return [*both, *((low * factor, high) for factor in FACTORS), *((low, high * factor) for factor in FACTORS)]


def _error(expected: Sequence[Answer], got: Iterable[Answer]) -> _Error:
    answered = [(each.sr[0], other.sr[0]) for each, other in zip(expected, got, strict=True)]
    pairs = [planes for one, other in answered for planes in zip(one, other, strict=True)]
    return _Error(
        float(np.mean([np.mean((a - b) ** 2) for a, b in pairs])),
        float(np.mean([1 - ssim(255 * a, 255 * b) for a, b in pairs])),
    )
