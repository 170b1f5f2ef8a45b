"""Means over patients with their uncertainty, and what several seeds say about each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 1000
LEVEL = 0.95
SEED = 0  # of the bootstrap; the same patients are drawn for every row and metric


@dataclass(frozen=True)
class Interval:
    """A mean over pictures, or a ratio of two, and the bounds of its bootstrap interval."""

    mean: float
    low: float
    high: float

    def to_json(self) -> dict[str, float]:
        return {name: round(value, 6) for name, value in vars(self).items()}


def patient_bootstrap(values: np.ndarray, patients: Sequence[str], *, draws: int = DRAWS, seed: int = SEED) -> Interval:
    """The mean of ``values``, (n,), and its percentile interval over patients drawn with replacement.

    Pictures of one patient are alike, so drawing pictures would make the interval too narrow. For a paired difference
    pass the differences. Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.3.
    """
    return ratio_bootstrap(values, np.ones(len(values)), patients, draws=draws, seed=seed)


def ratio_bootstrap(
    above: np.ndarray, below: np.ndarray, patients: Sequence[str], *, draws: int = DRAWS, seed: int = SEED
) -> Interval:
    """sum(above) / sum(below), each (n,) and none negative, with the same interval; 1 where ``below`` sums to 0."""
    _, patient_of = np.unique(np.asarray(patients), return_inverse=True)
    sums = np.stack([np.bincount(patient_of, weights=values) for values in (above, below)])  # (2, P)
    rng = np.random.Generator(np.random.PCG64(seed))
    drawn = rng.integers(0, sums.shape[1], (draws, sums.shape[1]))
    totals = np.concatenate([sums.sum(axis=1)[:, None], sums[:, drawn].sum(axis=2)], axis=1)  # (2, 1 + draws)
    mean, *ratios = np.divide(totals[0], totals[1], out=np.ones(1 + draws), where=totals[1] > 0)
    low, high = np.quantile(ratios, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(mean), float(low), float(high))


def variance_over_error(samples: np.ndarray, hr: np.ndarray) -> float:
    """How much seeds differ, in units of how wrong they are together; samples (S, H, W), S >= 2, hr (H, W).

    The mean over pixels of the unbiased variance over seeds, divided by the mean over pixels of
    (mean over seeds - hr)^2. Where HR and the samples come from one and the same posterior its expectation is about
    S / (S + 1), see ``calibrated_ratio``. 0 for a model that ignores its seed, and where the error is 0.
    """
    error = _mean_error(samples, hr)
    variance = float(samples.var(axis=0, ddof=1, dtype=np.float64).mean())
    square = float((error**2).mean())
    return variance / square if square else 0.0


def calibrated_ratio(seeds: int) -> float:
    """``variance_over_error`` of a calibrated model: the mean of S samples misses HR by sigma^2 * (1 + 1/S)."""
    return seeds / (seeds + 1)


def spread_error_correlation(samples: np.ndarray, hr: np.ndarray) -> float:
    """Does the spread over seeds show where their mean errs? Spearman's rho over pixels of deviation and |error|."""
    return rank_correlation(samples.std(axis=0, dtype=np.float64), np.abs(_mean_error(samples, hr)))


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's rho of two arrays of one shape: Pearson's correlation of ranks, ties sharing their mean rank.

    0 where one of the two is constant, which leaves it undefined.
    """
    ranks_a, ranks_b = _ranks(a), _ranks(b)
    ranks_a -= ranks_a.mean()
    ranks_b -= ranks_b.mean()
    norm = float(np.sqrt((ranks_a @ ranks_a) * (ranks_b @ ranks_b)))
    return float(ranks_a @ ranks_b) / norm if norm else 0.0


def _mean_error(samples: np.ndarray, hr: np.ndarray) -> np.ndarray:
    error: np.ndarray = samples.mean(axis=0, dtype=np.float64) - hr
    return error


def _ranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values.ravel(), return_inverse=True, return_counts=True)
    mean_rank_of_value = np.cumsum(counts) - (counts - 1) / 2
    ranks: np.ndarray = mean_rank_of_value[inverse.ravel()]
    return ranks
