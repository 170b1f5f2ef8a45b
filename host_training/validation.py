"""Figures while training: a fixed part of the validation split, cheap enough to look at often."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from edge_sr.image.compare import NOTICE
from host_training.data.contact_sheet import page, pixels_repeated
from host_training.data.crops import hr_stack, load_pictures, unit
from host_training.data.protocol import lr_of

PICTURES = 32
SHOWN = 4  # of them, in the panels


def validation_pairs(data_dir: Path, cache_dir: Path, device: torch.device) -> tuple[Tensor, Tensor]:
    """HR (32, 1, 256, 256) and LR (32, 1, 64, 64) in [0, 1], spread evenly over the validation split."""
    pictures = load_pictures(data_dir, "validation", cache_dir=cache_dir)
    chosen = hr_stack(pictures[:: max(1, len(pictures) // PICTURES)][:PICTURES])[:, None]
    return torch.from_numpy(unit(chosen)).to(device), torch.from_numpy(unit(lr_of(chosen))).to(device)


def psnr_of(sr: Tensor, hr: Tensor) -> float:
    """Mean over the pictures of 10 log10(1 / MSE), in dB, without rounding to 8 bit."""
    mse = (sr.float() - hr).square().mean((1, 2, 3))
    return float((-10 * mse.log10()).mean())


def panels_of(lr: Tensor, sr: Tensor, hr: Tensor, *, title: str) -> np.ndarray:
    """The first pictures of a batch as a page of three rows, LR, SR and HR: (H, W) uint8.

    lr (N, 1, h, w), sr and hr (N, 1, s*h, s*w), in [0, 1]; what lies outside is clipped.
    """
    scale = hr.shape[-1] // lr.shape[-1]
    columns = zip(grey(lr), grey(sr), grey(hr), strict=True)
    tiles = [(pixels_repeated(low, scale), ours, true) for low, ours, true in columns]
    return page(title, NOTICE, ["LR", "SR", "HR"], tiles)


def grey(pictures: Tensor) -> np.ndarray:
    """The first few of (N, 1, H, W) in [0, 1] -> (n, H, W) uint8."""
    return (pictures[:SHOWN, 0].float().clamp(0, 1) * 255).round().byte().cpu().numpy()
