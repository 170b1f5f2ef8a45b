"""Nothing in the output contradicts the input: the mean of each 4x4 block of SR is the LR pixel it came from.

This is the reference of the nodes that end the composed graph; the same arithmetic stands there in the same order.
"""

from __future__ import annotations

import math

import numpy as np

from edge_sr.image.planes import planes

ROUNDS = 3  # one plain round and two that spread what clipping undid; a fourth changes nothing that 8 bit could show
FREE_MARGIN = 1e-6  # nearer to 0 or 1 than this a pixel counts as clipped, so that rounding errors decide nothing


def area_mean(sr: np.ndarray, scale: int = 4) -> np.ndarray:
    """(N, C, H, W) to (N, C, H/scale, W/scale): the mean of each block, in the type of sr."""
    mean: np.ndarray = _block_sum(_bands(sr, scale), scale, sr.dtype) / sr.dtype.type(scale * scale)
    return mean


def project(sr: np.ndarray, lr: np.ndarray, *, scale: int = 4, rounds: int = ROUNDS) -> np.ndarray:
    """The picture in [0, 1] near sr whose block means are lr. sr (N, C, H, W) float32, lr (N, C, H/scale, W/scale).

    Round 1 adds each block's residual lr - mean(sr) to all its pixels and clips to [0, 1], which undoes part of it.
    Each further round spreads what is left over the pixels that are still free to move that way: below 1 where
    the residual is positive, above 0 where it is negative. Every round is a step towards a convex set that holds any
    truth whose block means are lr, so none takes the picture further from that truth.
    """
    if rounds == 0:
        return sr
    projected: np.ndarray = sr.copy()
    bands = _bands(projected, scale)  # a view, so that projected changes with it
    bands += _spread(lr - area_mean(projected, scale), scale)
    np.clip(projected, 0.0, 1.0, out=projected)
    for _ in range(rounds - 1):
        residual = lr - area_mean(projected, scale)
        up = _spread(residual, scale)
        free = np.where(up > 0, 1 - bands, bands) > FREE_MARGIN
        count = _block_sum(free, scale, sr.dtype)
        share = residual * sr.dtype.type(scale * scale) / np.maximum(count, sr.dtype.type(1))
        bands += free * _spread(share, scale)
        np.clip(projected, 0.0, 1.0, out=projected)
    return projected


def lr_rmse(sr_pixels: np.ndarray, lr_pixels: np.ndarray) -> float:
    """Root mean square of mean(sr) - lr in grey levels of 255, of the integers as stored.

    sr_pixels: (H*scale, W*scale), lr_pixels: (H, W), both uint8 or both uint16, or both in colour (.., .., 3).
    """
    return rmse_of(squared_error(sr_pixels, lr_pixels), lr_pixels)


def squared_error(sr_pixels: np.ndarray, lr_pixels: np.ndarray) -> float:
    """The sum of squares of mean(sr) - lr over the pixels of lr, of a picture or of some of its rows; see lr_rmse.

    The squares are whole multiples of 1 / scale^4, so at scale 2 and 4 their sum does not depend on its order.
    """
    scale = sr_pixels.shape[0] // lr_pixels.shape[0]
    wide = np.dtype(f"uint{16 * sr_pixels.itemsize}")  # a sum of up to 257 pixels fits
    error = _block_sum(_bands(planes(sr_pixels), scale), scale, wide) / scale**2
    error -= planes(lr_pixels)
    return float(np.square(error, out=error).sum())


def rmse_of(squares: float, lr_pixels: np.ndarray) -> float:
    """lr_rmse of a picture, from the sum of squares over all of it."""
    return math.sqrt(squares / lr_pixels.size) * 255.0 / float(np.iinfo(lr_pixels.dtype).max)


# The arithmetic runs on bands, (N, C, h, scale, W), because numpy is slow where the last axis has only scale elements.


def _bands(sr: np.ndarray, scale: int) -> np.ndarray:
    """(N, C, H, W) as (N, C, H/scale, scale, W), the rows of a block beside each other."""
    count, channels, height, width = sr.shape
    return sr.reshape(count, channels, height // scale, scale, width)


def _block_sum(bands: np.ndarray, scale: int, dtype: np.dtype) -> np.ndarray:
    """(N, C, h, scale, W) to (N, C, h, W/scale)."""
    columns = bands.sum(axis=3, dtype=dtype)
    total: np.ndarray = columns[..., 0::scale].copy()
    for offset in range(1, scale):
        total += columns[..., offset::scale]
    return total


def _spread(lr: np.ndarray, scale: int) -> np.ndarray:
    """(N, C, h, w) to (N, C, h, 1, w*scale), which numpy repeats down a band: nearest upsampling."""
    return lr.repeat(scale, axis=3)[:, :, :, None]
