"""Figures while training: a fixed part of the validation split, cheap enough to look at often."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from host_training.data.crops import load_hr, unit
from host_training.data.protocol import lr_of

PICTURES = 32


def validation_pairs(data_dir: Path, cache_dir: Path, device: torch.device) -> tuple[Tensor, Tensor]:
    """HR (32, 1, 256, 256) and LR (32, 1, 64, 64) in [0, 1], spread evenly over the validation split."""
    hr = load_hr(data_dir, "validation", cache_dir=cache_dir)
    chosen = hr[:: max(1, len(hr) // PICTURES)][:PICTURES, None]
    return torch.from_numpy(unit(chosen)).to(device), torch.from_numpy(unit(lr_of(chosen))).to(device)


def psnr_of(sr: Tensor, hr: Tensor) -> float:
    """Mean over the pictures of 10 log10(1 / MSE), in dB, without rounding to 8 bit."""
    mse = (sr.float() - hr).square().mean((1, 2, 3))
    return float((-10 * mse.log10()).mean())
