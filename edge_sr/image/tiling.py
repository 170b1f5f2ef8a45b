"""Cutting a picture into tiles of a fixed size, and laying their results together without seams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby

import numpy as np

from edge_sr.errors import EdgeSRError, UsageError

LATENT_STRIDE = 2  # LR pixels a latent position covers: an origin between two would need half a position of noise


@dataclass(frozen=True)
class TilePlan:
    """Where the tiles of a (height, width) picture lie, in LR pixels.

    origins: top left corners (y, x) in row order, a full grid. padded: (height, width) that the tiles cover together.
    """

    height: int
    width: int
    tile: int
    overlap: int
    origins: tuple[tuple[int, int], ...]
    padded: tuple[int, int]


def plan_tiles(height: int, width: int, *, tile: int = 64, overlap: int = 16) -> TilePlan:
    """Spread as few tiles as overlap by at least that many pixels evenly over the picture.

    Even spreading turns the remainder into more overlap, so reflection adds one row or column at most
    (a picture smaller than a tile is filled up to one).
    """
    if tile % LATENT_STRIDE or not 0 <= overlap <= tile // 2:
        raise UsageError(f"tiles of {tile} overlapping by {overlap}", expected="an even tile and at most half of it")
    ys, xs = _starts(height, tile, overlap), _starts(width, tile, overlap)
    origins = tuple((y, x) for y in ys for x in xs)
    return TilePlan(height, width, tile, overlap, origins, (ys[-1] + tile, xs[-1] + tile))


def _starts(length: int, tile: int, overlap: int) -> list[int]:
    last = max(0, -(-(length - tile) // LATENT_STRIDE)) * LATENT_STRIDE
    # Rounding a start to the stride may move two neighbours apart by one stride; keep that out of the overlap.
    step = tile - overlap - overlap % LATENT_STRIDE
    steps = -(-last // step)
    return [last * i // steps // LATENT_STRIDE * LATENT_STRIDE for i in range(steps)] + [last]


def cut(field: np.ndarray, plan: TilePlan, *, ratio: int | Fraction = 1) -> np.ndarray:
    """(1, C, H, W) to its tiles (N, C, tile*ratio, tile*ratio), in the order of plan.origins.

    ratio: field positions per LR pixel. The field has the picture's size, and is padded by reflection (repeated where
    the picture is smaller than the border), or already the padded size, as the noise field, with ratio 1/2.
    """
    height, width = (_scaled(n, ratio) for n in plan.padded)
    if field.shape[2:] != (height, width):
        if field.shape[2:] != (plan.height * ratio, plan.width * ratio):
            raise EdgeSRError(f"a field of {list(field.shape)} does not fit", expected=f"[1, C, {height}, {width}]")
        bottom, right = height - field.shape[2], width - field.shape[3]
        field = np.pad(field, ((0, 0), (0, 0), (0, bottom), (0, right)), mode="reflect")
    if len(plan.origins) == 1:
        return field
    side = _scaled(plan.tile, ratio)
    corners = [(_scaled(y, ratio), _scaled(x, ratio)) for y, x in plan.origins]
    return np.concatenate([field[:, :, y : y + side, x : x + side] for y, x in corners])


def _scaled(length: int, ratio: int | Fraction) -> int:
    scaled = Fraction(length) * ratio
    if scaled.denominator != 1:
        raise EdgeSRError(f"{length} LR pixels times {ratio} is no whole number")
    return scaled.numerator


def blend(tiles: np.ndarray, plan: TilePlan, *, scale: int = 4) -> np.ndarray:
    """(N, C, tile*scale, tile*scale) float32 to (1, C, H*scale, W*scale); the inverse of cut.

    Each tile is faded in over the whole overlap, by a raised cosine, first along rows and then between them. What is
    there is moved towards the new tile, so the weights of a pixel sum to 1 by construction and agreeing tiles come out
    bit for bit. One tile is passed through.
    """
    side = plan.tile * scale
    if tiles.shape[0] != len(plan.origins) or tiles.shape[2:] != (side, side):
        expected = f"[{len(plan.origins)}, C, {side}, {side}]"
        raise EdgeSRError(f"tiles of {list(tiles.shape)} do not fit", expected=expected)
    if len(plan.origins) > 1:
        tiles = _laid_out(tiles, plan, scale)
    return tiles[:, :, : plan.height * scale, : plan.width * scale]


def _laid_out(tiles: np.ndarray, plan: TilePlan, scale: int) -> np.ndarray:
    rows, ys = [], []
    placed = zip(plan.origins, tiles[:, None], strict=True)
    for y, row in groupby(placed, key=lambda pair: pair[0][0]):
        corners, strips = zip(*row, strict=True)
        rows.append(_joined(strips, [x * scale for _, x in corners], axis=3))
        ys.append(y * scale)
    return _joined(rows, ys, axis=2)


def _joined(strips: Sequence[np.ndarray], starts: Sequence[int], *, axis: int) -> np.ndarray:
    """Strips that begin at starts along axis, each faded in over what stands there already."""
    if len(strips) == 1:
        return strips[0]
    length = strips[0].shape[axis]
    shape = list(strips[0].shape)
    shape[axis] = starts[-1] + length
    joined = np.empty(shape, strips[0].dtype)
    end = 0
    for strip, start in zip(strips, starts, strict=True):
        shared = max(end - start, 0)
        standing = joined[_span(axis, start, start + shared)]
        standing += _fade_in(shared, axis, joined.dtype) * (strip[_span(axis, 0, shared)] - standing)
        end = start + length
        joined[_span(axis, start + shared, end)] = strip[_span(axis, shared, length)]
    return joined


def _span(axis: int, begin: int, end: int) -> tuple[slice, ...]:
    return (slice(None),) * axis + (slice(begin, end),)


def _fade_in(length: int, axis: int, dtype: np.dtype) -> np.ndarray:
    """Raised cosine from 0 to 1 at the middles of length pixels, shaped to lie along axis of (N, C, H, W)."""
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / max(length, 1))
    return ramp.astype(dtype).reshape((1,) * axis + (-1,) + (1,) * (3 - axis))
