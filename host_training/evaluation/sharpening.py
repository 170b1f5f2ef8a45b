"""Linear sharpening: each ring of spatial frequency gets the energy there that true pictures have.

A regression net answers with the mean of all possible pictures and is too smooth for it. One gain a ring undoes that
without any sampling, so it is the row that a sampler has to beat.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from host_training.evaluation.spectrum import ratio, ring_energies, ring_of


def fit_gains(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """(rings,) sqrt(E of HR / E of SR), E summed over pairs (sr, hr), each (side, side) on one scale.

    1 where SR has no energy to amplify. Fitted on the validation split, never on what is measured.
    """
    model = truth = np.zeros(1)
    for sr, hr in pairs:
        model, truth = model + ring_energies(sr), truth + ring_energies(hr)
    return np.sqrt(ratio(truth, model))


def sharpen(sr: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """(N, 1, H, H) float32 -> the same with every ring multiplied by its gain; neither clipped nor projected."""
    gain_at = gains[ring_of(sr.shape[-1])]  # (H, H)
    sharpened = [cv2.idct(cv2.dct(picture.astype(np.float64)) * gain_at) for picture in sr[:, 0]]
    return np.stack(sharpened)[:, None].astype(np.float32)
