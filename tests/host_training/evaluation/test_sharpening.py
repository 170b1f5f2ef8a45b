from __future__ import annotations

import cv2
import numpy as np
import pytest

from host_training.evaluation.sharpening import fit_gains, ring_of, sharpen

RNG = np.random.default_rng(0)


def textured(count: int) -> np.ndarray:
    """(N, 1, 256, 256) float32 around 0.5, with energy at every frequency."""
    return (0.5 + 0.05 * RNG.standard_normal((count, 1, 256, 256))).astype(np.float32)


def blurred(pictures: np.ndarray) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(one[0], (0, 0), 0.8, borderType=cv2.BORDER_REFLECT) for one in pictures])[:, None]


def test_rings_count_cycles_a_picture() -> None:
    rings = ring_of(256)
    assert (rings[0, 0], rings[0, 2], rings[20, 0]) == (0, 1, 10)
    assert rings.max() == round(255 * 2**0.5 / 2)


def test_gains_of_one_leave_the_picture() -> None:
    picture = textured(1)
    np.testing.assert_allclose(sharpen(picture, np.ones(ring_of(256).max() + 1)), picture, atol=1e-6)


def test_gains_undo_a_blur_they_were_fitted_on_other_pictures_of() -> None:
    fitting, other = textured(4), textured(2)
    restored = sharpen(blurred(other), fit_gains([(blurred(fitting), fitting)]))
    assert blurred(other).std() < 0.5 * other.std()
    assert restored.std() == pytest.approx(other.std(), rel=0.02)
    assert np.abs(restored - other).mean() < 0.2 * np.abs(blurred(other) - other).mean()


def test_a_ring_without_energy_is_left_alone() -> None:
    flat = np.full((1, 1, 256, 256), 0.5, np.float32)
    gains = fit_gains([(flat, flat)])
    assert gains[0] == pytest.approx(1.0)
    assert np.isfinite(gains).all()


def test_batches_add_up() -> None:
    hr = textured(3)
    sr = blurred(hr)
    np.testing.assert_allclose(fit_gains([(sr, hr)]), fit_gains([(sr[:1], hr[:1]), (sr[1:], hr[1:])]))
