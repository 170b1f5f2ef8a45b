"""Memory that one picture after the other uses."""

from __future__ import annotations

import math

import numpy as np

LARGEST_KEPT = 1 << 21  # float32 numbers in a workspace: a full batch of tiles, in colour too


class Workspace:
    """Memory for one batch's numbers that the next batch uses again. For one thread; no result lies in it."""

    def __init__(self) -> None:
        self._kept = np.empty(0, np.float32)
        self._array = self._kept

    def array(self, shape: tuple[int, ...]) -> np.ndarray:
        """float32, holding anything; valid until the next call."""
        if self._array.shape == shape:
            return self._array
        size = math.prod(shape)
        if size > LARGEST_KEPT:
            return np.empty(shape, np.float32)
        if size > self._kept.size:
            self._kept = np.empty(size, np.float32)
        self._array = self._kept[:size].reshape(shape)
        return self._array
