"""Linear sharpening: each ring of spatial frequency gets the energy there that true pictures have.

A regression net answers with the mean of all possible pictures and is too smooth for it. One gain a ring undoes that
without any sampling, so it is the row that a sampler has to beat. Spectra are those of the picture mirrored at its
borders (which is what a DCT-II computes): the jump from one border to the other is no detail.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np


class RingEnergies:
    """Sums of squared spectra, ring by ring, of a model's pictures and of the truth."""

    def __init__(self, side: int = 256) -> None:
        self._rings = ring_of(side)
        self._truth = np.zeros(self._rings.max() + 1)
        self._model = np.zeros_like(self._truth)

    def add(self, sr: np.ndarray, hr: np.ndarray) -> None:
        """sr, hr: (N, 1, side, side) on one scale."""
        for energies, pictures in ((self._model, sr), (self._truth, hr)):
            for picture in pictures[:, 0]:
                energies += np.bincount(self._rings.ravel(), weights=cv2.dct(picture.astype(np.float64)).ravel() ** 2)

    def gains(self) -> np.ndarray:
        """(rings,) sqrt(E_truth / E_model); 1 where the model has no energy to amplify."""
        present = self._model > 0
        ratio = np.divide(self._truth, self._model, out=np.ones_like(self._truth), where=present)
        return np.sqrt(ratio)


def fit_gains(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The gains of pairs (sr, hr), each (N, 1, 256, 256); of the validation split, never of what is measured."""
    energies = RingEnergies()
    for sr, hr in pairs:
        energies.add(sr, hr)
    return energies.gains()


def sharpen(sr: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """(N, 1, H, H) float32 -> the same with every ring multiplied by its gain; neither clipped nor projected."""
    gain_at = gains[ring_of(sr.shape[-1])]  # (H, H)
    sharpened = [cv2.idct(cv2.dct(picture.astype(np.float64)) * gain_at) for picture in sr[:, 0]]
    return np.stack(sharpened)[:, None].astype(np.float32)


def ring_of(side: int) -> np.ndarray:
    """(side, side) int: the ring of each DCT coefficient, in cycles a picture (a DCT counts half cycles), rounded."""
    half_cycles = np.arange(side)
    return np.rint(np.hypot(half_cycles[:, None], half_cycles[None, :]) / 2).astype(np.int64)
