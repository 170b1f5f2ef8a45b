"""The before/after picture: what came in, what interpolation makes of it, what the model made of it."""

from __future__ import annotations

import cv2
import numpy as np

from edge_sr.image.bicubic import upsample_bicubic

CAPTIONS = ("LR, pixels repeated", "bicubic x{scale}", "edge-sr x{scale}")
NOTICE = "not for diagnostic use"
SMALLEST_PANEL = 512  # pixels; smaller pictures are enlarged, so that a screen shows the difference
GAP = 8  # pixels between panels


def before_after(lr: np.ndarray, sr: np.ndarray, *, scale: int = 4) -> np.ndarray:
    """LR, bicubic and SR side by side, captioned, with the notice below.

    lr: (h, w) uint8 or uint16. sr: (h * scale, w * scale) of the same type. Either may be (.., .., 3) uint8 RGB, and is
    then shown as luma.
    Returns (H, W) uint8; 16-bit pictures are shown by their upper eight bits, tiny ones enlarged by a whole number.
    """
    lr, sr = (cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) if each.ndim == 3 else each for each in (lr, sr))
    unit = lr[None, None].astype(np.float32) / np.iinfo(lr.dtype).max  # (1, 1, h, w)
    panels = [
        np.repeat(np.repeat(_to_eight_bits(lr), scale, axis=0), scale, axis=1),
        np.rint(upsample_bicubic(unit, scale)[0, 0] * 255).astype(np.uint8),
        _to_eight_bits(sr),
    ]
    times = -(-SMALLEST_PANEL // panels[0].shape[1])
    columns = [
        _captioned(_enlarged(panel, times), caption.format(scale=scale))
        for panel, caption in zip(panels, CAPTIONS, strict=True)
    ]
    gap = np.full((len(columns[0]), GAP), 255, np.uint8)
    row = np.hstack([columns[0], gap, columns[1], gap, columns[2]])
    return np.vstack([row, _line(NOTICE, row.shape[1], panels[0].shape[1] * times)])


def _to_eight_bits(pixels: np.ndarray) -> np.ndarray:
    return (pixels >> 8).astype(np.uint8) if pixels.dtype == np.uint16 else pixels


def _enlarged(panel: np.ndarray, times: int) -> np.ndarray:
    return np.repeat(np.repeat(panel, times, axis=0), times, axis=1)


def _captioned(panel: np.ndarray, caption: str) -> np.ndarray:
    return np.vstack([_line(caption, panel.shape[1], panel.shape[1]), panel])


def _line(text: str, width: int, panel_width: int) -> np.ndarray:
    """(height, width) uint8, white, the text in black; its size follows the width of a panel."""
    size = 0.5 * min(panel_width / 256, 4.0)  # of cv2's font, whose capitals are about 21 pixels high at 1.0
    height = round(44 * size)
    line = np.full((height, width), 255, np.uint8)
    thickness = max(1, round(size))
    cv2.putText(line, text, (GAP, round(32 * size)), cv2.FONT_HERSHEY_SIMPLEX, size, 0, thickness, cv2.LINE_AA)
    return line
