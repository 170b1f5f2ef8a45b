"""A model that shows every seam and every draw, and pictures for it."""

from __future__ import annotations

import cv2
import numpy as np

from edge_sr.diffusion.samplers import NoiseOfStep
from edge_sr.image.bicubic import upsample_bicubic
from edge_sr.image.radiograph import Radiograph
from edge_sr.models.base import written_into
from edge_sr.models.bicubic import Bicubic


class NoisyBicubic(Bicubic):
    """Takes 64x64 tiles only and adds its noise to what it sees, so that every seam and every draw shows."""

    tile: int | None = 64
    degradation = "none"
    amplitude = 0.05

    def __init__(self) -> None:
        self.batches: list[int] = []

    def noise_shape(self, n_lr_h: int, n_lr_w: int) -> tuple[int, int, int]:
        return (4, n_lr_h // 2, n_lr_w // 2)

    def __call__(
        self,
        lr: np.ndarray,
        *,
        noise: np.ndarray | None,
        fidelity: float,
        noise_of_step: NoiseOfStep | None = None,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        self.batches.append(len(lr))
        assert lr.shape[1:] == (1, 64, 64)
        sr = upsample_bicubic(lr)
        if noise is None:
            return written_into(out, sr)
        assert noise_of_step is not None
        drawn = noise + noise_of_step(0)  # (N, 4, 32, 32)
        added = np.float32(self.amplitude * (1 - fidelity)) * np.repeat(np.repeat(drawn[:, :1], 8, 2), 8, 3)
        return written_into(out, sr + added)


def radiograph(height: int, width: int, dtype: type = np.uint8) -> Radiograph:
    small = np.random.default_rng(0).uniform(0.3, 0.7, (height // 8 + 2, width // 8 + 2))
    pixels = (cv2.resize(small, (width, height)) * np.iinfo(dtype).max).astype(dtype)
    return Radiograph(pixels, 8 * pixels.itemsize, "0" * 64)
