"""What several seeds of one model say about each other."""

from __future__ import annotations

import numpy as np


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
