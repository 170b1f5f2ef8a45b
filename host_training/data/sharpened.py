"""The unsharp mask of Real-ESRGAN's ground truth (arXiv 2107.10833, section 3.4; USMSharp of its code).

A network that learns to give back a sharpened picture makes sharper ones, and invents less on the way than one that a
discriminator drives to it. But it is no longer the picture that was taken: our configurations leave it off.
"""

from __future__ import annotations

import cv2
import numpy as np

KERNEL_SIZE = 51  # pixels
SIGMA = 0.3 * ((KERNEL_SIZE - 1) * 0.5 - 1) + 0.8  # 8 pixels, what OpenCV takes for this size
AMOUNT = 0.5  # of what the blur took away
THRESHOLD = 10  # grey levels of 255; what differs less from its surroundings is left alone


def sharpened(picture: np.ndarray) -> np.ndarray:
    """(H, W) or (H, W, 3) uint8 -> the same, rounded: edges steeper, flat regions as they were."""
    plain = picture.astype(np.float32) / np.float32(255)
    detail = plain - blurred(plain)
    mask = blurred((np.abs(detail) * 255 > THRESHOLD).astype(np.float32))
    steep = np.clip(plain + AMOUNT * detail, 0, 1)
    return np.rint((mask * steep + (1 - mask) * plain) * 255).astype(np.uint8)


def blurred(picture: np.ndarray) -> np.ndarray:
    size = (KERNEL_SIZE, KERNEL_SIZE)
    return np.asarray(cv2.GaussianBlur(picture, size, SIGMA, borderType=cv2.BORDER_REFLECT_101))
