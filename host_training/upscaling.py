"""A generator at work while it trains: projected where LR is the mean of HR, measured, drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from host_training.data.picture_source import PictureSource
from host_training.losses import Distance, haarpsi_distance
from host_training.nets.blocks import project
from host_training.nets.generators import Generator
from host_training.validation import SHOWN, panels_of, psnr_of

AT_ONCE = 4  # pictures; a large generator holds a gigabyte for 32


@dataclass(frozen=True, eq=False)
class Upscaling:
    """A generator, and the pictures that it learns from and is judged by."""

    generator: Generator
    source: PictureSource

    def __call__(self, lr: Tensor) -> Tensor:
        """(N, C, h, w) in [0, 1] -> (N, C, s*h, s*w); only a projected one is clipped."""
        sr = self.generator(lr)
        return project(sr, lr, scale=self.generator.scale) if self.source.projected else sr

    def validated(self, device: torch.device, count: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """LR, SR and HR of the held-out pictures or the first ``count`` of them, (n, C, ...) in [0, 1]."""
        truth, lr = (pictures[:count] for pictures in self.source.validation(device))
        sr = torch.cat([self(part) for part in lr.split(AT_ONCE)])
        return lr, sr.float().clamp(0, 1), truth

    def figures(self, device: torch.device, distances: Mapping[str, Distance] | None = None) -> dict[str, float]:
        """PSNR in dB and HaarPSI_MED over the held-out pictures; distances: more figures, in all channels, by name."""
        _, sr, truth = self.validated(device)
        more = {name: float(distance(sr, truth)) for name, distance in (distances or {}).items()}
        sr, truth = self.source.judged(sr), self.source.judged(truth)
        return {"psnr": psnr_of(sr, truth), "haarpsi": 1 - float(haarpsi_distance(sr, truth)), **more}

    def panels(self, device: torch.device, *, title: str) -> np.ndarray:
        """A few of them side by side: (H, W) uint8."""
        return panels_of(*map(self.source.grey, self.validated(device, SHOWN)), title=title)
