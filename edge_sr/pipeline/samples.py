"""The mean of several samples, and how far they lie apart."""

from __future__ import annotations

import numpy as np


class Moments:
    """Mean and unbiased standard deviation of arrays of one shape that come one by one (Welford 1962).

    The mean is as consistent with LR as each sample: averaging and the 4x4 mean commute.
    """

    def __init__(self, first: np.ndarray) -> None:
        """first: may lie where the next one will."""
        self.mean = first.copy()
        self._squares = np.zeros_like(first)
        self._count = 1

    def add(self, sample: np.ndarray) -> None:
        self._count += 1
        difference = sample - self.mean
        self.mean += difference / self._count
        self._squares += difference * (sample - self.mean)

    @property
    def deviation(self) -> np.ndarray:
        """Of two or more."""
        deviation: np.ndarray = np.sqrt(self._squares / (self._count - 1))
        return deviation
