"""Bicubic resizing as MATLAB's ``imresize`` does it, by which the published sets of natural pictures are made.

Keys' kernel (IEEE ASSP 29(6), 1981) with a = -0.5, pixel centres aligned, edges mirrored. To make a picture smaller the
kernel is stretched by the factor, so that it filters before it samples; OpenCV's INTER_CUBIC does not.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

SUPPORT = 4.0  # samples that the kernel reaches over, where it is not stretched
A = -0.5


def imresize(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W) or (H, W, C) uint8 -> (height, width[, C]) uint8, rounded and clipped."""
    rows, columns = weights(picture.shape[0], height), weights(picture.shape[1], width)
    resized = np.moveaxis(np.tensordot(rows, picture.astype(np.float64), (1, 0)), 1, -1)  # (height[, C], W)
    resized = resized @ columns.T
    resized = np.moveaxis(resized, -1, 1)
    return np.clip(np.rint(resized), 0, 255).astype(np.uint8)


@lru_cache(maxsize=64)
def weights(before: int, after: int) -> np.ndarray:
    """What each of ``after`` samples takes of each of ``before``: (after, before) float64, rows that sum to 1."""
    factor = after / before
    stretch = min(factor, 1.0)
    reach = SUPPORT / stretch
    centres = (np.arange(after) + 0.5) / factor - 0.5
    taps = np.floor(centres - reach / 2)[:, None] + np.arange(int(np.ceil(reach)) + 2)  # (after, taps)
    shares = keys((centres[:, None] - taps) * stretch)
    shares /= shares.sum(1, keepdims=True)
    matrix = np.zeros((after, before))
    np.add.at(matrix, (np.arange(after)[:, None], mirrored(taps.astype(int), before)), shares)
    matrix.flags.writeable = False
    return matrix


def keys(x: np.ndarray) -> np.ndarray:
    """The kernel at distances x."""
    x = np.abs(x)
    near, far = (A + 2) * x**3 - (A + 3) * x**2 + 1, A * (x**3 - 5 * x**2 + 8 * x - 4)
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def mirrored(index: np.ndarray, size: int) -> np.ndarray:
    """Indices beyond an edge, reflected with the edge repeated: -1 is 0, ``size`` is size - 1."""
    index = index % (2 * size)
    return np.where(index < size, index, 2 * size - 1 - index)
