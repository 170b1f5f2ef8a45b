"""Standard normal noise that is a function of its place, so batches, tiles and picture sizes do not change it.

The field is cut into blocks of 32x32 positions. Each block has its own stream of Philox4x64-10 words (Salmon et al.,
"Parallel random numbers: as easy as 1, 2, 3", SC11, section 4.3; numpy's ``Philox``), whose 256-bit counter starts at

    word 0 (lowest): 0, counts up; four 64-bit words come out of each count     word 1: step
    word 2: block row                                                          word 3: block column

and whose key is (seed, 0). numpy counts before it draws, so the first words come from count 1. A block's words run
channel by channel, row by row: a channel takes 256 counts, and no stream reaches the next one before 2^56 channels.
numpy promises the words of a BitGenerator across versions; it does not promise its normal numbers, so they are ours.
"""

from __future__ import annotations

import math

import numpy as np

from edge_sr.errors import UsageError

BLOCK = 32
_WORD_LIMIT = 2**64


def noise_field(
    seed: int, shape: tuple[int, int, int], *, step: int = 0, origin: tuple[int, int] = (0, 0)
) -> np.ndarray:
    """(1, C, H, W) float32, each value a function of (seed, step, channel, y, x) alone.

    seed, step: 0..2^64-1. step 0 is the noise that sampling starts from; the sampler's step k (0-based) takes k + 1.
    origin: (y, x) of the first position, so that a part of a large field can be had by itself.
    UsageError for a number outside these and for an empty shape.
    """
    _check(seed, step, shape, origin)
    channels, height, width = shape
    (top, inner_top), (left, inner_left) = (divmod(start, BLOCK) for start in origin)
    rows, columns = -(-(inner_top + height) // BLOCK), -(-(inner_left + width) // BLOCK)
    words = np.empty((channels, rows * BLOCK, columns * BLOCK), np.uint64)
    for row in range(rows):
        for column in range(columns):
            place = np.s_[:, row * BLOCK : (row + 1) * BLOCK, column * BLOCK : (column + 1) * BLOCK]
            words[place] = _block_words(seed, step, top + row, left + column, channels)
    inner = words[:, inner_top : inner_top + height, inner_left : inner_left + width]
    return _standard_normal(inner)[np.newaxis]


def _block_words(seed: int, step: int, row: int, column: int, channels: int) -> np.ndarray:
    """(C, 32, 32) uint64."""
    counter = np.array([0, step, row, column], np.uint64)
    stream = np.random.Philox(counter=counter, key=np.array([seed, 0], np.uint64))
    return stream.random_raw(channels * BLOCK * BLOCK).reshape(channels, BLOCK, BLOCK)


def _standard_normal(words: np.ndarray) -> np.ndarray:
    """uint64 words -> float32 normals of the same shape, |value| <= 6.67.

    Box and Muller, "A note on the generation of random normal deviates", 1958: sqrt(-2 ln u1) cos(2 pi u2), with u1 in
    (0, 1] from a word's high half and u2 in [0, 1) from its low half. One normal a word, so none depends on another.
    In float64, so that the machines' last-bit differences in log and cos vanish in the rounding.
    """
    u1 = ((words >> np.uint64(32)) + np.uint64(1)) * 2.0**-32
    angle = (words & np.uint64(0xFFFFFFFF)) * (2 * math.pi * 2.0**-32)
    return (np.sqrt(-2 * np.log(u1)) * np.cos(angle)).astype(np.float32)


def _check(seed: int, step: int, shape: tuple[int, int, int], origin: tuple[int, int]) -> None:
    for value, where in ((seed, "seed"), (step, "step")):
        if not 0 <= value < _WORD_LIMIT:
            raise UsageError(f"{value} is out of range", where=where, expected="0 to 18446744073709551615")
    if len(shape) != 3 or min(shape) < 1:
        raise UsageError(f"no field of shape {tuple(shape)}", where="shape", expected="(C, H, W), each at least 1")
    if min(origin) < 0:
        raise UsageError(f"no field begins at {origin}", where="origin", expected="(y, x), neither below 0")
