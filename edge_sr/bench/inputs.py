"""The pictures that are timed: phantoms, so that a bench needs no files and every machine gets the same ones."""

from __future__ import annotations

from functools import cache

import numpy as np

from edge_sr.image.phantom import chest_phantom
from edge_sr.image.radiograph import Radiograph, to_unit

DISTINCT = 8  # in turn, so that no cache of a codec has seen the picture before
LARGE = 512  # a side above which there is only one: making it takes longer than looking at it
LEAST_SIDE = 32  # of a phantom


@cache
def pictures_of(size: tuple[int, int]) -> tuple[Radiograph, ...]:
    """(height, width) uint8 each, for a size of (width, height)."""
    width, height = size
    side = max(width, height, LEAST_SIDE)
    count = 1 if side > LARGE else DISTINCT
    phantoms = (chest_phantom(side, seed=seed)[:height, :width] for seed in range(count))
    return tuple(Radiograph(np.ascontiguousarray(pixels), 8, "0" * 64) for pixels in phantoms)


def batch_of(size: tuple[int, int], count: int, channels: int) -> np.ndarray:
    """(count, channels, height, width) float32 in [0, 1]."""
    pictures = pictures_of(size)
    units = [to_unit(pictures[number % len(pictures)].pixels) for number in range(count)]
    return np.ascontiguousarray(np.concatenate(units).repeat(channels, axis=1))
