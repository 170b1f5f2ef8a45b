from __future__ import annotations

import numpy as np

from edge_sr.image.bicubic import upsample_bicubic


def test_batch_and_channels_are_upsampled_one_by_one() -> None:
    lr = np.random.default_rng(0).random((3, 2, 9, 13), np.float32)
    upsampled = upsample_bicubic(lr)
    assert upsampled.shape == (3, 2, 36, 52) and upsampled.dtype == np.float32
    np.testing.assert_array_equal(upsampled[2:, 1:], upsample_bicubic(lr[2:, 1:]))


def test_overshoot_is_clipped() -> None:
    edge = np.zeros((1, 1, 16, 16), np.float32)
    edge[..., 8:] = 1.0
    upsampled = upsample_bicubic(edge)
    assert (upsampled.min(), upsampled.max()) == (0.0, 1.0)


def test_a_ramp_keeps_its_place() -> None:
    ramp = np.tile(np.linspace(0.2, 0.8, 16, dtype=np.float32), (16, 1))[None, None]
    means = upsample_bicubic(ramp).reshape(1, 1, 16, 4, 16, 4).mean(axis=(3, 5))
    np.testing.assert_allclose(means[..., 3:-3], ramp[..., 3:-3], atol=1e-3)  # pixel centres aligned: no shift
