"""Radiographs in memory to their results."""

from __future__ import annotations

import time
from collections.abc import Sequence

from edge_sr.errors import UsageError
from edge_sr.image.radiograph import Radiograph, to_unit
from edge_sr.image.tiling import Mosaic
from edge_sr.models.base import SRModel
from edge_sr.pipeline.canvas import Canvas, for_channels
from edge_sr.pipeline.draws import Draws, chosen_draws
from edge_sr.pipeline.result import SRResult
from edge_sr.pipeline.sharing import shares_batches
from edge_sr.pipeline.tiles import plan_of, run_tiles
from edge_sr.pipeline.workspace import Workspace
from edge_sr.timing import Phases


def upscale(
    radiograph: Radiograph,
    model: SRModel,
    *,
    seed: int | None = None,
    fidelity: float | None = None,
    samples: int = 1,
    phases: Phases | None = None,
    workspace: Workspace | None = None,
) -> SRResult:
    """Super-resolve one radiograph; the same input and options give the same result, bit for bit.

    seed: of the noise field, 0 <= seed < 2**53. fidelity: 0 (all of the noise) to 1 (none). None: the model's default;
    with several samples, 0.
    samples: with more than one the result is the mean over the seeds from ``seed`` on, and has their spread. UsageError
    where they cannot differ.
    phases: where the times from prepare to finish are added. workspace: for calls that follow each other.
    """
    (result,) = upscale_many(
        [radiograph], model, seed=seed, fidelity=fidelity, samples=samples, phases=phases, workspace=workspace
    )
    return result


def upscale_many(
    radiographs: Sequence[Radiograph],
    model: SRModel,
    *,
    seed: int | None = None,
    fidelity: float | None = None,
    samples: int = 1,
    phases: Phases | None = None,
    workspace: Workspace | None = None,
) -> list[SRResult]:
    """The same of several: each result is the one that ``upscale`` gives, bit for bit.

    Tiles of small pictures share the model's calls where the model gives them alike in any company, see
    ``sharing.shares_batches``; elsewhere each picture has calls of its own. phases: of all pictures together.
    """
    phases = Phases() if phases is None else phases
    workspace = Workspace() if workspace is None else workspace
    draws = chosen_draws(model, seed=seed, fidelity=fidelity, samples=samples)
    for radiograph in radiographs:
        if radiograph.pixels.ndim == 3 and model.channels == 1:
            raise UsageError("the model takes grey pictures", where="colour", expected="refuse or luma")
    if model.tile is None:
        return [_whole(radiograph, model, draws, phases) for radiograph in radiographs]
    together = len(radiographs) > 1 and shares_batches(model)
    groups = [radiographs] if together else [[radiograph] for radiograph in radiographs]
    return [each for group in groups for each in _in_tiles(group, model, model.tile, draws, phases, workspace)]


def _whole(radiograph: Radiograph, model: SRModel, draws: Draws, phases: Phases) -> SRResult:
    """By a model that takes a picture of any size at once."""
    canvas = Canvas(radiograph, model, draws, projected=False)
    with phases("prepare"):
        lr = for_channels(to_unit(radiograph.pixels), model.channels)  # (1, C, h, w)
    for sample in range(draws.samples):
        start = time.perf_counter()
        sr = model(lr, noise=None, fidelity=draws.fidelity)
        phases.add_call((time.perf_counter() - start) * 1e3, model.times)
        with phases("finish"):
            canvas.add(0, sr, sample)
    with phases("finish"):
        return canvas.result()


def _in_tiles(
    radiographs: Sequence[Radiograph], model: SRModel, tile: int, draws: Draws, phases: Phases, workspace: Workspace
) -> list[SRResult]:
    pictures = [radiograph.pixels for radiograph in radiographs]
    with phases("prepare"):
        plans = [plan_of(pixels, tile) for pixels in pictures]
        # The blend of consistent tiles is not itself consistent.
        projected = [model.degradation == "area" and len(plan.origins) > 1 for plan in plans]
        canvases = [Canvas(each, model, draws, projected=p) for each, p in zip(radiographs, projected, strict=True)]
        mosaics = [[Mosaic(plan, scale=model.scale) for _ in range(draws.samples)] for plan in plans]
    for places, numbers in run_tiles(pictures, model, tile, draws, phases=phases, workspace=workspace):
        with phases("finish"):
            for place, sr in zip(places, numbers, strict=True):
                done = mosaics[place.picture][place.sample].add(sr)
                if done is not None:
                    canvases[place.picture].add(*done, place.sample)
    with phases("finish"):
        return [canvas.result() for canvas in canvases]
