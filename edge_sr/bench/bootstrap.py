"""Means over pictures with their uncertainty."""

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
