"""Each method against plain numpy on the values themselves, and on tensors that break careless ones."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.histogram import Histogram
from calibration.observers import METHODS, Grid


def eight_bit(symmetric: bool) -> Grid:
    """Written out anew; what the build writes is held against ONNX Runtime in tests/build_engines."""

    def quantise(values: np.ndarray, low: float, high: float) -> np.ndarray:
        low, high = min(low, 0.0), max(high, 0.0)
        if symmetric:
            scale = max(-low, high) / 127 or 1.0
            return np.clip(np.rint(values / scale), -128, 127) * scale
        scale = (high - low) / 255 or 1.0
        zero_point = np.rint(-low / scale)
        return (np.clip(np.rint(values / scale) + zero_point, 0, 255) - zero_point) * scale

    return Grid(symmetric, quantise)


GRIDS = {"asymmetric": eight_bit(False), "symmetric": eight_bit(True)}
every_grid = pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
every_method = pytest.mark.parametrize("method", METHODS)


def observed(values: np.ndarray) -> Histogram:
    histogram = Histogram("x")
    histogram.observe(values.astype(np.float32))
    return histogram


def error(grid: Grid, values: np.ndarray, low: float, high: float) -> float:
    return float(np.mean((grid.quantise(values, low, high) - values) ** 2))


NORMAL = np.random.default_rng(0).standard_normal(40_000).astype(np.float32)
LAPLACE = np.random.default_rng(1).laplace(size=40_000).astype(np.float32)
SHIFTED = (LAPLACE - 2).astype(np.float32)


def test_minmax_is_what_was_seen() -> None:
    assert METHODS["minmax"](observed(SHIFTED), GRIDS["asymmetric"]) == (SHIFTED.min(), SHIFTED.max())
    amax = np.abs(SHIFTED).max()
    assert METHODS["minmax"](observed(SHIFTED), GRIDS["symmetric"]) == (-amax, amax)


def is_percentile(value: float, values: np.ndarray, percent: float) -> bool:
    """Whether it is the value there or one beside it: these shares end exactly on a value, and rounding chooses."""
    place = round(percent * len(values) / 100)
    near = 0.03  # far out a bin is so wide
    first, last = np.sort(values)[[max(place - 2, 0), min(place, len(values) - 1)]]
    return bool(first - near <= value <= last + near)


@pytest.mark.parametrize("percent", [99.9, 99.99])
def test_percentiles_are_those_of_the_values(percent: float) -> None:
    method, histogram = METHODS[f"percentile-{percent}"], observed(SHIFTED)
    low, high = method(histogram, GRIDS["asymmetric"])
    outside = (100 - percent) / 2
    assert is_percentile(low, SHIFTED, outside)
    assert is_percentile(high, SHIFTED, 100 - outside)
    low, high = method(histogram, GRIDS["symmetric"])
    assert -low == high and is_percentile(high, np.abs(SHIFTED), percent)


@every_grid
@pytest.mark.parametrize("values", [NORMAL, LAPLACE, SHIFTED, np.maximum(LAPLACE, 0)])
def test_mse_is_the_least_error_of_a_plain_search(grid: Grid, values: np.ndarray) -> None:
    ends = 0.97 ** np.arange(60)
    full = grid.range_of(float(values.min()), float(values.max()))
    if grid.symmetric:
        tried = [error(grid, values, *(end * share for end in full)) for share in ends]
    else:
        tried = [error(grid, values, full[0] * a, full[1] * b) for a in ends[::2] for b in ends[::2]]
    assert error(grid, values, *METHODS["mse"](observed(values), grid)) <= 1.03 * min(tried)


def reference_entropy(values: np.ndarray, width: float) -> float:
    """The published procedure, one loop after the other: every fourth threshold, every level, every bin."""
    counts = np.bincount((np.abs(values[values != 0]) / width).astype(int), minlength=2048)
    scores = {}
    for stop in range(128, np.flatnonzero(counts)[-1] + 2, 4):
        p, q = counts[:stop].astype(float), np.zeros(stop)
        p[-1] += counts[stop:].sum()
        for level in range(128):
            bins = [b for b in range(-(-level * stop // 128), -(-(level + 1) * stop // 128)) if p[b]]
            q[bins] = counts[bins].sum() / max(len(bins), 1)
        used = p > 0
        p, q = p[used] / p.sum(), np.maximum(q[used] / q.sum(), 1e-9)
        scores[stop] = float(p @ np.log(p / q))
    return width * min(scores, key=scores.__getitem__)


def test_entropy_is_the_published_threshold() -> None:
    values = LAPLACE[:3000]
    histogram = observed(values)
    width = histogram.magnitudes(2048)[1]
    low, high = METHODS["entropy"](histogram, GRIDS["symmetric"])
    assert -low == high
    assert high == pytest.approx(reference_entropy(values, width), abs=16 * width)
    low, high = METHODS["entropy"](histogram, GRIDS["asymmetric"])
    assert values.min() <= low < 0 < high <= values.max()


@every_grid
@every_method
def test_an_outlier_is_clipped_by_all_but_minmax(method: str, grid: Grid) -> None:
    values = np.append(NORMAL, np.float32(40))
    _, high = METHODS[method](observed(values), grid)
    if method == "minmax":
        assert high == 40
    elif method == "mse":
        assert high <= 40  # one value in 40,000 may cost as much as coarse steps do
    else:
        assert high < 6


@every_grid
@every_method
@pytest.mark.parametrize("constant", [0.0, 3.0, -3.0, 1e-30])
def test_a_constant_tensor_keeps_its_value(method: str, grid: Grid, constant: float) -> None:
    low, high = METHODS[method](observed(np.full(100, constant)), grid)
    value = np.array([constant], np.float32)
    assert low <= high
    assert grid.quantise(value, low, high) == pytest.approx(value, rel=0.01)


@every_grid
@every_method
def test_a_range_stays_within_what_was_seen(method: str, grid: Grid) -> None:
    for values in (NORMAL, SHIFTED, np.maximum(NORMAL, 0), -np.abs(NORMAL)):
        low, high = METHODS[method](observed(values), grid)
        widest = METHODS["minmax"](observed(values), grid)
        assert widest[0] <= low <= high <= widest[1]
