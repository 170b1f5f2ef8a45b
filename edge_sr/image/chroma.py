"""Colour back onto a super-resolved luma."""

from __future__ import annotations

import cv2
import numpy as np

ROWS = 64  # of the small picture at a time: what is in between has four times the size of the result
BESIDE = 2  # rows that cubic interpolation looks at above and below


def with_chroma(luma: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    """(H, W) uint8 and (h, w, 2) uint8 Cr, Cb -> (H, W, 3) uint8 RGB; the chroma is interpolated only."""
    scale = len(luma) // len(chroma)
    rgb = np.empty((*luma.shape, 3), np.uint8)
    for top in range(0, len(chroma), ROWS):
        above = max(top - BESIDE, 0)
        part = chroma[above : top + ROWS + BESIDE]
        size = (luma.shape[1], len(part) * scale)
        upsampled = cv2.resize(part, size, interpolation=cv2.INTER_CUBIC)  # (.., W, 2)
        rows = slice(top * scale, (top + ROWS) * scale)
        upsampled = upsampled[(top - above) * scale :][: len(luma[rows])]
        rgb[rows] = cv2.cvtColor(np.dstack([luma[rows], upsampled]), cv2.COLOR_YCrCb2RGB)
    return rgb
