"""How much energy a picture has at each spatial frequency.

The spectrum is that of the picture mirrored at its borders, which is what a DCT-II computes: the jump from one border
to the other is no detail. Frequencies are counted in cycles a picture.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from host_training.data.protocol import HR_SIDE

OCTAVES = ((16, 32), (32, 64), (64, 128))  # around 32, the last frequency that an LR of 64 pixels can hold


@lru_cache(maxsize=4)
def ring_of(side: int) -> np.ndarray:
    """(side, side) int: the ring of each DCT coefficient, in cycles a picture (a DCT counts half cycles), rounded."""
    half_cycles = np.arange(side)
    return np.rint(np.hypot(half_cycles[:, None], half_cycles[None, :]) / 2).astype(np.int64)


def ring_energies(picture: np.ndarray) -> np.ndarray:
    """(side, side) on any scale -> (rings,) float64: the sum of squared coefficients in each ring."""
    coefficients = cv2.dct(picture.astype(np.float64))
    return np.bincount(ring_of(len(picture)).ravel(), weights=coefficients.ravel() ** 2)


def octaves(side: int) -> list[tuple[int, int]]:
    """``OCTAVES`` at another HR side, where LR and its last frequency grow with it."""
    return [(low * side // HR_SIDE, high * side // HR_SIDE) for low, high in OCTAVES]


def octave_energies(energies: np.ndarray, side: int) -> np.ndarray:
    """(n, rings) -> (n, 3): the energy in low <= frequency < high of each octave."""
    return np.stack([energies[:, low:high].sum(axis=1) for low, high in octaves(side)], axis=1)


def ratio(energies: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """energies / truth, of one shape; 1 where the truth has none."""
    return np.divide(energies, truth, out=np.ones_like(truth), where=truth > 0)
