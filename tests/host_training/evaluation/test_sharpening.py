from __future__ import annotations

import cv2
import numpy as np
import pytest

from host_training.evaluation.sharpening import fit_gains, sharpen
from host_training.evaluation.spectrum import ring_of

RNG = np.random.default_rng(0)


def textured(count: int) -> np.ndarray:
    """(N, 256, 256) float32 around 0.5, with energy at every frequency."""
    return (0.5 + 0.05 * RNG.standard_normal((count, 256, 256))).astype(np.float32)


def blurred(pictures: np.ndarray) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(one, (0, 0), 0.8, borderType=cv2.BORDER_REFLECT) for one in pictures])


def test_gains_of_one_leave_the_picture() -> None:
    picture = textured(1)[None]
    np.testing.assert_allclose(sharpen(picture, np.ones(ring_of(256).max() + 1)), picture, atol=1e-6)


def test_gains_undo_a_blur_they_were_fitted_on_other_pictures_of() -> None:
    fitting, other = textured(4), textured(2)
    gains = fit_gains(zip(blurred(fitting), fitting, strict=True))
    restored = sharpen(blurred(other)[:, None], gains)[:, 0]
    assert blurred(other).std() < 0.5 * other.std()
    assert restored.std() == pytest.approx(other.std(), rel=0.02)
    assert np.abs(restored - other).mean() < 0.2 * np.abs(blurred(other) - other).mean()


def test_a_ring_without_energy_is_left_alone() -> None:
    flat = np.full((256, 256), 0.5, np.float32)
    gains = fit_gains([(flat, flat)])
    assert gains[0] == pytest.approx(1.0)
    assert np.isfinite(gains).all()


def test_gains_are_those_of_all_pictures_together() -> None:
    dim, bright = textured(2) * np.array([0.1, 1.0], np.float32)[:, None, None]
    together = fit_gains([(dim, dim), (0.5 * bright, bright)])
    assert together[50] == pytest.approx(2, abs=0.05)  # the bright one has nearly all the energy
