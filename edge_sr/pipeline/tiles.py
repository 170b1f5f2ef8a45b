"""Pictures as tiles, in batches through the model; a batch takes its tiles from as many pictures as fill it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby

import numpy as np

from edge_sr.diffusion.noise import noise_field
from edge_sr.image.radiograph import to_unit
from edge_sr.image.tiling import TilePlan, padded, plan_tiles
from edge_sr.models.base import SRModel
from edge_sr.pipeline.canvas import for_channels
from edge_sr.pipeline.draws import Draws
from edge_sr.pipeline.workspace import Workspace
from edge_sr.timing import Phases

OVERLAP = 16  # LR pixels; a quarter of a tile, see edge_sr.image.tiling
LARGEST_BATCH = 8  # tiles a call: more gains nothing on a CPU and costs memory on a small board


@dataclass(frozen=True)
class Place:
    """One tile: of which picture and sample, where in it (y, x in LR pixels), and with which seed's noise."""

    picture: int
    sample: int
    origin: tuple[int, int]
    seed: int | None


def batch_size(model: SRModel) -> int:
    """Tiles a call, at most."""
    return min(LARGEST_BATCH, model.largest_batch or LARGEST_BATCH)


def plan_of(pixels: np.ndarray, tile: int) -> TilePlan:
    return plan_tiles(*pixels.shape[:2], tile=tile, overlap=OVERLAP)


def run_tiles(
    pictures: Sequence[np.ndarray], model: SRModel, tile: int, draws: Draws, *, phases: Phases, workspace: Workspace
) -> Iterator[tuple[Sequence[Place], np.ndarray]]:
    """Batch by batch, the places of its tiles and their numbers, (N, C, tile*scale, tile*scale) float32.

    pictures: (H, W) or (H, W, C) integers. The numbers lie in the workspace until the next batch. Of a picture, all
    samples of one row of tiles come before the next row.
    """
    with phases("prepare"):
        plans = [plan_of(pixels, tile) for pixels in pictures]
        sources = [_channels_first(pixels, plan) for pixels, plan in zip(pictures, plans, strict=True)]
        places = [place for number, plan in enumerate(plans) for place in _places(number, plan, draws)]
    shape = None if draws.fidelity == 1 else model.noise_shape(tile, tile)
    size, side = batch_size(model), tile * model.scale
    for start in range(0, len(places), size):
        batch = places[start : start + size]
        with phases("prepare"):
            lr = _stacked([_tile(sources[place.picture], place.origin, tile, model.channels) for place in batch])
            noise = _Noise(batch, tile, shape) if shape is not None else None
            first = None if noise is None else noise(0)  # what the sampler starts from
            out = workspace.array((len(batch), model.channels, side, side))
        begin = time.perf_counter()
        later = None if noise is None else noise.of_step
        model(lr, noise=first, fidelity=draws.fidelity, noise_of_step=later, out=out)
        phases.add_call((time.perf_counter() - begin) * 1e3, model.times)
        yield batch, out


def _channels_first(pixels: np.ndarray, plan: TilePlan) -> np.ndarray:
    """(H, W) or (H, W, C) -> (1 or C, H, W), as large as its tiles."""
    return padded(pixels[np.newaxis] if pixels.ndim == 2 else pixels.transpose(2, 0, 1), plan)


def _places(picture: int, plan: TilePlan, draws: Draws) -> Iterator[Place]:
    for _, row in groupby(plan.origins, key=lambda origin: origin[0]):
        origins = list(row)
        for sample, seed in enumerate(draws.seeds):
            yield from (Place(picture, sample, origin, seed) for origin in origins)


def _tile(source: np.ndarray, origin: tuple[int, int], tile: int, channels: int) -> np.ndarray:
    """(1 or C, H, W) integers to (1, channels, tile, tile) float32 in [0, 1]."""
    y, x = origin
    part = source[:, y : y + tile, x : x + tile]
    return for_channels(to_unit(part[0] if len(part) == 1 else part.transpose(1, 2, 0)), channels)


def _stacked(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


class _Noise:
    """The noise of one batch: each tile's part of the one field that its picture and seed have."""

    def __init__(self, batch: Sequence[Place], tile: int, shape: tuple[int, int, int]) -> None:
        ratio = Fraction(shape[1], tile)  # positions a pixel of LR; origins lie where that is a whole number
        seeds = [place.seed for place in batch if place.seed is not None]  # each has one where there is noise
        origins = [(int(y * ratio), int(x * ratio)) for y, x in (place.origin for place in batch)]
        self._parts = list(zip(seeds, origins, strict=True))
        self._shape = shape

    def __call__(self, draw: int) -> np.ndarray:
        """(N, C, H, W); draw 0 is what the sampler starts from."""
        return _stacked([noise_field(seed, self._shape, step=draw, origin=at) for seed, at in self._parts])

    def of_step(self, step: int) -> np.ndarray:
        """For samplers that draw at each step."""
        return self(step + 1)
