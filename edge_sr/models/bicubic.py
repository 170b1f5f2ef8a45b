"""Bicubic interpolation behind the model interface: the row every other row is measured against."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edge_sr.diffusion.samplers import NoiseOfStep
from edge_sr.image.bicubic import upsample_bicubic
from edge_sr.models.base import written_into


class Bicubic:
    """cv2's INTER_CUBIC at four times the size; any picture size, no noise, no files."""

    scale = 4
    channels = 1
    tile: int | None = None
    degradation = "none"  # it promises nothing about the LR picture, so the pipeline must not project it
    seed = 0
    fidelity = 1.0
    largest_batch: int | None = None
    instead_of: tuple[str, ...] = ()

    @property
    def times(self) -> Mapping[str, float]:
        return {}  # all of the call is compute

    @property
    def provenance(self) -> Mapping[str, object]:
        return {"model": "bicubic", "backend": "opencv", "precision": "fp32"}

    def noise_shape(self, n_lr_h: int, n_lr_w: int) -> tuple[int, int, int] | None:
        return None

    def __call__(
        self,
        lr: np.ndarray,
        *,
        noise: np.ndarray | None,
        fidelity: float,
        noise_of_step: NoiseOfStep | None = None,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """(N, 1, h, w) float32 in [0, 1] -> (N, 1, 4h, 4w); noise and fidelity change nothing."""
        return written_into(out, upsample_bicubic(lr, self.scale))

    def open(self) -> None:
        """There is nothing to open."""

    def close(self) -> None:
        """Nothing is open."""

    def __enter__(self) -> Bicubic:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
