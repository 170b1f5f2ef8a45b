"""The methods: each reads the range of a tensor's grid off its histogram.

A range that is too wide rounds everything coarsely, one that is too narrow clips what lies outside. ``minmax`` clips
nothing, the others trade one against the other, each by a rule of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from calibration.histogram import Histogram

Range = tuple[float, float]
Observer = Callable[[Histogram, "Grid"], Range]


@dataclass(frozen=True)
class Grid:
    """How a runtime rounds an activation, as the build writes it.

    symmetric: the codes lie evenly around 0, so that a range is -amax to amax.
    quantise: values (float32), least, greatest value of a range -> the values that the runtime computes with.
    """

    symmetric: bool
    quantise: Callable[[np.ndarray, float, float], np.ndarray]

    def range_of(self, low: float, high: float) -> Range:
        """As the grid takes it."""
        amax = max(-low, high, 0.0)
        return (-amax, amax) if self.symmetric else (low, high)

    def squared_error(self, histogram: Histogram, low: float, high: float) -> float:
        """Of rounding and clipping, summed over all values."""
        values, counts = histogram.points()
        return float(np.square(self.quantise(values, low, high) - values, dtype=np.float64) @ counts)


def minmax(histogram: Histogram, grid: Grid) -> Range:
    """Everything that was observed."""
    return grid.range_of(histogram.minimum, histogram.maximum)


def percentile(histogram: Histogram, grid: Grid, *, percent: float) -> Range:
    """All but the outermost values: of a symmetric grid the largest absolute ones, else half of them on either side."""
    share = 1 - percent / 100
    if not grid.symmetric:
        return histogram.without_tails(share / 2)
    folded, width = histogram.magnitudes(len(histogram.counts) // 2)
    inside = np.searchsorted(folded.cumsum() + histogram.zeros, (1 - share) * histogram.count)
    amax = min(float(inside + 1) * width, histogram.amax)
    return -amax, amax


ENTROPY_BINS = 2048
ENTROPY_LEVELS = 128
ENTROPY_STRIDE = 16  # bins between two thresholds that are tried, at most a 64th of the range
LEAST_PROBABILITY = 1e-9  # of what a threshold leaves empty


def entropy(histogram: Histogram, grid: Grid) -> Range:
    """The threshold whose 128 levels lose the least information, by the Kullback-Leibler divergence.

    After S. Migacz, "8-bit inference with TensorRT", GTC 2017, and ONNX Runtime's calibrator: one threshold for the
    absolute values, which an asymmetric grid cuts to what was observed. Exact zeros, which no grid loses, stay out.
    """
    counts, width = histogram.magnitudes(ENTROPY_BINS)
    bins = int(np.flatnonzero(counts).max(initial=-1)) + 1
    if bins <= ENTROPY_LEVELS:  # all zeros, or next to it: else the outermost bin in use is in the upper half
        return minmax(histogram, grid)
    stops = [*range(ENTROPY_LEVELS, bins, ENTROPY_STRIDE), bins]
    stop = min(stops, key=lambda stop: _divergence(counts, stop))
    threshold = min(stop * width, histogram.amax)
    return grid.range_of(max(-threshold, histogram.minimum), min(threshold, histogram.maximum))


def _divergence(counts: np.ndarray, stop: int) -> float:
    """KL(reference || quantised) of the first ``stop`` bins; what lies outside is clipped into the last of them."""
    inside = counts[:stop]
    reference = inside.astype(np.float64)
    reference[-1] += counts[stop:].sum()
    starts = -(-np.arange(ENTROPY_LEVELS) * stop // ENTROPY_LEVELS)  # first bin of each level
    used = reference > 0
    shares = np.add.reduceat(inside, starts) / np.maximum(np.add.reduceat(used, starts, dtype=np.int64), 1)
    quantised = np.repeat(shares, np.diff(starts, append=stop))[used]  # each level spread over its bins in use
    if not quantised.any():
        return np.inf
    p = reference[used] / reference.sum()
    q = np.maximum(quantised / quantised.sum(), LEAST_PROBABILITY)
    return float(p @ np.log(p / q))


MSE_STEP = 2 ** (-1 / 16)  # between two ranges that are tried
MSE_TRIES = 64  # down to a sixteenth
GIVE_UP = 2.0  # at twice the least error clipping alone exceeds it, and it only grows as a range shrinks


def mse(histogram: Histogram, grid: Grid) -> Range:
    """The range of least squared error; each end of an asymmetric grid is searched for the other one's best."""
    error = partial(grid.squared_error, histogram)
    low, high = grid.range_of(histogram.minimum, histogram.maximum)
    if grid.symmetric:
        amax = _best_end(high, lambda end: error(-end, end))
        return -amax, amax
    for _ in range(2):
        high = _best_end(high, partial(error, low)) if high > 0 else high
        low = _best_end(low, partial(_turned, error, high)) if low < 0 else low
    return low, high


def _turned(error: Callable[[float, float], float], high: float, low: float) -> float:
    return error(low, high)


def _best_end(end: float, error: Callable[[float], float]) -> float:
    """The end of a range, from the widest inwards."""
    best, least = end, error(end)
    for n in range(1, MSE_TRIES + 1):
        tried = end * MSE_STEP**n
        found = error(tried)
        if found < least:
            best, least = tried, found
        elif found > GIVE_UP * least:
            break
    return best


METHODS: Mapping[str, Observer] = {
    "minmax": minmax,
    "percentile-99.9": partial(percentile, percent=99.9),
    "percentile-99.99": partial(percentile, percent=99.99),
    "entropy": entropy,
    "mse": mse,
}
