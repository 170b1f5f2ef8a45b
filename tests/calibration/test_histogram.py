"""The growing histogram against numpy, and against itself fed in another way."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.histogram import BINS, Histogram
from edge_sr.errors import IntegrityError


def observed(*batches: np.ndarray) -> Histogram:
    histogram = Histogram("x")
    for batch in batches:
        histogram.observe(batch.astype(np.float32))
    return histogram


def same(one: Histogram, other: Histogram) -> bool:
    numbers = [(h.width, h.zeros, h.minimum, h.maximum) for h in (one, other)]
    return numbers[0] == numbers[1] and np.array_equal(one.counts, other.counts)


@pytest.fixture
def values() -> np.ndarray:
    """Small ones first, so that the histogram has to widen often; a quarter is 0."""
    rng = np.random.default_rng(0)
    drawn = rng.standard_normal(4096) * np.repeat([1e-4, 0.01, 1, 37], 1024)
    return np.where(rng.random(4096) < 0.25, 0, drawn).astype(np.float32)


def test_counts_are_numpys(values: np.ndarray) -> None:
    histogram = observed(values)
    edges = np.arange(-BINS, BINS + 1) * histogram.width
    expected = np.histogram(values[values != 0].astype(np.float64), edges)[0]
    assert np.array_equal(histogram.counts, expected)
    assert histogram.zeros == np.count_nonzero(values == 0)
    assert (histogram.minimum, histogram.maximum) == (values.min(), values.max())
    assert histogram.width * BINS / 2 <= histogram.amax < histogram.width * BINS


@pytest.mark.parametrize("batches", [1, 2, 7, 64])
def test_neither_batches_nor_order_matter(values: np.ndarray, batches: int) -> None:
    at_once = observed(values)
    assert same(observed(*np.array_split(values, batches)), at_once)
    assert same(observed(*np.array_split(values[::-1], batches)), at_once)


def test_merged_halves_are_the_whole(values: np.ndarray) -> None:
    assert same(observed(values[:2048]).merged(observed(values[2048:])), observed(values))
    assert same(observed(values[2048:]).merged(observed(values[:2048])), observed(values))
    assert same(observed(values).merged(Histogram("x")), observed(values))
    assert same(Histogram("x").merged(observed(values)), observed(values))


@pytest.mark.parametrize("end", [1.0, -1.0, 2.0, np.float32(np.finfo(np.float32).max), 1e-30, 1e-44])
def test_a_single_value_at_the_edge_of_a_bin(end: float) -> None:
    histogram = observed(np.array([end]))
    assert histogram.count == 1
    assert histogram.without_tails(0) == (np.float32(end), np.float32(end))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused_by_name(bad: float) -> None:
    with pytest.raises(IntegrityError, match=r"^x: holds NaN or Inf"):
        observed(np.ones(3), np.array([0, bad, 1]))


@pytest.mark.parametrize("share", [0, 0.0005, 0.01, 0.2])
def test_tails_are_quantiles_within_a_bin(values: np.ndarray, share: float) -> None:
    histogram = observed(values)
    low, high = histogram.without_tails(share)
    assert np.mean(values < low) <= share and np.mean(values > high) <= share
    inwards = histogram.width * 1.001
    assert np.mean(values <= low + inwards) > share and np.mean(values >= high - inwards) > share


def test_magnitudes_fold_at_zero() -> None:
    counts, width = observed(np.array([-0.9, -0.3, 0, 0.3, 0.6])).magnitudes(8)
    assert width == 0.125
    assert counts.tolist() == [0, 0, 2, 0, 1, 0, 0, 1]


def test_points_hold_every_value_to_half_a_bin(values: np.ndarray) -> None:
    histogram = observed(values)
    centres, counts = histogram.points()
    assert counts.sum() == len(values)
    assert np.abs(np.sort(np.repeat(centres, counts)) - np.sort(values)).max() <= histogram.width
