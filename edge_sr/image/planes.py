"""A picture's pixels as the layout of networks, channels first."""

from __future__ import annotations

import numpy as np


def planes(pixels: np.ndarray) -> np.ndarray:
    """(H, W) or (H, W, C) as (1, 1, H, W) or (1, C, H, W), a view."""
    return pixels[None, None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)[None]
