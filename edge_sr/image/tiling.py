"""Cutting a picture into tiles of a fixed size, and laying their results together without seams."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

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


@lru_cache(maxsize=32)  # pictures that follow each other are of a few sizes
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


def padded(field: np.ndarray, plan: TilePlan, *, ratio: int | Fraction = 1) -> np.ndarray:
    """(.., H, W) of the picture's size to that which the tiles cover, by reflection; see cut."""
    if ratio == 1 and field.shape[-2:] == plan.padded:
        return field  # the usual case; fractions are slow
    height, width = (_scaled(n, ratio) for n in plan.padded)
    if field.shape[-2:] == (height, width):
        return field
    if field.shape[-2:] != (plan.height * ratio, plan.width * ratio):
        raise EdgeSRError(f"a field of {list(field.shape)} does not fit", expected=f"[1, C, {height}, {width}]")
    bottom, right = height - field.shape[-2], width - field.shape[-1]
    return np.pad(field, ((0, 0),) * (field.ndim - 2) + ((0, bottom), (0, right)), mode="reflect")


def cut(field: np.ndarray, plan: TilePlan, *, ratio: int | Fraction = 1) -> np.ndarray:
    """(1, C, H, W) to its tiles (N, C, tile*ratio, tile*ratio), in the order of plan.origins.

    ratio: field positions per LR pixel. The field has the picture's size, and is padded by reflection (repeated where
    the picture is smaller than the border), or already the padded size, as the noise field, with ratio 1/2.
    """
    field = padded(field, plan, ratio=ratio)
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

    See Mosaic; one tile is passed through.
    """
    side = plan.tile * scale
    if tiles.shape[0] != len(plan.origins) or tiles.shape[2:] != (side, side):
        expected = f"[{len(plan.origins)}, C, {side}, {side}]"
        raise EdgeSRError(f"tiles of {list(tiles.shape)} do not fit", expected=expected)
    if len(tiles) == 1:
        return tiles[:, :, : plan.height * scale, : plan.width * scale]
    mosaic = Mosaic(plan, scale=scale)
    bands = (done for tile in tiles if (done := mosaic.add(tile)) is not None)
    return np.concatenate([band.copy() for _, band in bands], axis=2)


class Mosaic:
    """Tiles laid together as they come, in the order of plan.origins; rows that no later tile touches are given away.

    Each tile is faded in over the whole overlap, by a raised cosine, first along rows and then between them. What is
    there is moved towards the new tile, so the weights of a pixel sum to 1 by construction and agreeing tiles come out
    bit for bit. In memory is one row of tiles, and its overlap with the one before.
    """

    def __init__(self, plan: TilePlan, *, scale: int = 4) -> None:
        self._plan, self._scale = plan, scale
        self._count = 0
        self._strip = np.empty((1, 0, 0, 0), np.float32)  # the row of tiles at work
        self._right = 0  # where it ends so far
        self._standing: np.ndarray | None = None  # what of the row before the next one is faded into

    def add(self, tile: np.ndarray) -> tuple[int, np.ndarray] | None:
        """The next tile, (C, tile*scale, tile*scale); with the last of a row, a band of the result that is done.

        That is (top, band): top the first LR row that the band stands for, band (1, C, rows*scale, W*scale). It may lie
        in the tile, and is valid until the next call.
        """
        plan, scale = self._plan, self._scale
        y, x = plan.origins[self._count]
        self._count += 1
        following = plan.origins[self._count][0] if self._count < len(plan.origins) else plan.height
        alone = len(plan.origins) == 1
        strip = tile[np.newaxis] if alone else self._joined(tile, x)
        if following == y:
            return None
        rows = (following - y) * scale
        if self._standing is not None:
            shared = self._standing.shape[2]
            _fade(self._standing, strip[:, :, :shared], axis=2)
            strip[:, :, :shared] = self._standing
        self._standing = strip[:, :, rows:].copy() if self._count < len(plan.origins) else None
        return y, strip[:, :, :rows, : plan.width * scale]

    def _joined(self, tile: np.ndarray, x: int) -> np.ndarray:
        """The row with one tile more."""
        channels, side, _ = tile.shape
        if x == 0:
            self._right = 0
            if self._strip.shape[1] != channels:
                self._strip = np.empty((1, channels, side, self._plan.padded[1] * self._scale), tile.dtype)
        start = x * self._scale
        shared = max(self._right - start, 0)
        _fade(self._strip[..., start : start + shared], tile[np.newaxis, ..., :shared], axis=3)
        self._right = start + side
        self._strip[..., start + shared : self._right] = tile[..., shared:]
        return self._strip


def _fade(standing: np.ndarray, coming: np.ndarray, *, axis: int) -> None:
    """Move what stands towards what comes, from not at all to wholly along the axis."""
    standing += _fade_in(standing.shape[axis], axis, standing.dtype) * (coming - standing)


@lru_cache(maxsize=32)
def _fade_in(length: int, axis: int, dtype: np.dtype) -> np.ndarray:
    """Raised cosine from 0 to 1 at the middles of length pixels, shaped to lie along axis of (N, C, H, W)."""
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / max(length, 1))
    return ramp.astype(dtype).reshape((1,) * axis + (-1,) + (1,) * (3 - axis))
