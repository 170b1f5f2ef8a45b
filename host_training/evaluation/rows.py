"""The rows of the table: every way from LR to a picture that a model has to be compared with.

The model itself runs as the product runs it, by ``edge_sr.pipeline.upscale``. What the product does not have (a
regression net, latents of zeros, of HR, of another picture) is cut into the same tiles, blended and projected alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_sr.backends.base import Backend, Session
from edge_sr.image.bicubic import upsample_bicubic
from edge_sr.image.consistency import project
from edge_sr.image.radiograph import Radiograph, from_unit, to_unit
from edge_sr.image.tiling import blend, cut, plan_tiles
from edge_sr.models.base import SRModel
from edge_sr.models.latent_diffusion import LatentDiffusion
from edge_sr.pipeline import LARGEST_BATCH, OVERLAP, upscale
from host_training.data.protocol import HR_SIDE, SCALE
from host_training.evaluation.candidates import Candidate
from host_training.evaluation.pictures import PictureSet, Sample
from host_training.evaluation.sharpening import sharpen

FIDELITIES = {"model_1": 1.0, "model_0.5": 0.5, "model_0": 0.0}
OF_EVERY_SET = {
    "bicubic": "bicubic",
    "bicubic_projected": "bicubic, projected",
    "regression": "regression net",
    "regression_sharpened": "regression net, rings sharpened",
}
OF_FEEDFORWARD = {"model_1": "", "unprojected": "not projected"}
OF_DIFFUSION = {
    **{key: f"fidelity {fidelity:g}" for key, fidelity in FIDELITIES.items()},
    "unprojected": "fidelity 1, not projected",
    "zeroed": "latents zeroed",
    "shuffled": "another picture's latents",
    "autoencoder": "autoencoder round trip (ceiling)",
}
DIAGNOSTIC = (
    "unprojected",
    "zeroed",
    "shuffled",
    "autoencoder",
)  # nobody runs these for their picture: no time
REGRESSION_TILE = HR_SIDE // SCALE

Produce = Callable[[Sample], np.ndarray]
"""A sample -> (H, W) uint8, rounded as the product rounds what it writes."""

Opening = Callable[[Backend], AbstractContextManager[Produce]]


@dataclass(frozen=True)
class Row:
    """One line of the table. Its sessions live while ``opening`` is open; None where ``missing`` says what lacks."""

    key: str
    title: str
    opening: Opening | None
    missing: str = ""

    @property
    def timed(self) -> bool:
        return self.opening is not None and self.key.rpartition("/")[2] not in DIAGNOSTIC


@dataclass(frozen=True, eq=False)
class Tiles:
    """Float32 in [0, 1]: lr, other_lr (N, 1, tile, tile), hr (N, 1, 4 tile, 4 tile)."""

    lr: np.ndarray
    hr: np.ndarray
    other_lr: np.ndarray


def rows_of_set(pictures: PictureSet, regression: Path | None, gains: np.ndarray | None) -> list[Row]:
    """The rows that no bundle has a part in. gains: one a ring of the side that is measured, or None."""
    absent = "there is no regression.onnx among the baselines"
    how: dict[str, Opening | str] = {
        "bicubic": _interpolated(upsample_bicubic),
        "bicubic_projected": _interpolated(lambda lr: project(upsample_bicubic(lr), lr)),
        "regression": regression_row(regression) if regression else absent,
        "regression_sharpened": absent,
    }
    if regression:
        unfitted = "there are no validation pictures to fit the gains on"
        how["regression_sharpened"] = unfitted if gains is None else regression_row(regression, gains)
    if pictures.degradation != "area":
        reason = f"LR is no mean of HR here, the degradation is {pictures.degradation}"
        how |= dict.fromkeys(("bicubic_projected", "regression", "regression_sharpened"), reason)
    return [_row(key, title, how[key]) for key, title in OF_EVERY_SET.items()]


def rows_of_bundle(candidate: Candidate, pictures: PictureSet) -> list[Row]:
    """The rows of one bundle, their keys behind its own; "model_1" is what draws nothing, in any family."""
    how = diffusion_rows(candidate, pictures) if candidate.draws_noise else feedforward_rows(candidate)
    if not candidate.fits(pictures):
        how = dict.fromkeys(how, f"the bundle was trained for degradation {candidate.degradation}")
    elif candidate.degradation != "area":
        how["unprojected"] = "the bundle projects nothing"
    titles = OF_DIFFUSION if candidate.draws_noise else OF_FEEDFORWARD
    return [
        _row(f"{candidate.key}/{key}", ", ".join(filter(None, (candidate.key, title))), how[key])
        for key, title in titles.items()
    ]


def feedforward_rows(candidate: Candidate) -> dict[str, Opening | str]:
    return {"model_1": model_row(candidate, fidelity=1.0), "unprojected": unprojected_row(candidate)}


def diffusion_rows(candidate: Candidate, pictures: PictureSet) -> dict[str, Opening | str]:
    how: dict[str, Opening | str] = {
        **{key: model_row(candidate, fidelity=fidelity) for key, fidelity in FIDELITIES.items()},
        "unprojected": _decoded(candidate, lambda model, tiles: model.latents(tiles.lr), projected=False),
        "zeroed": _decoded(candidate, lambda model, tiles: _zeros(model, tiles.lr)),
        "shuffled": _decoded(candidate, lambda model, tiles: model.latents(tiles.other_lr)),
        "autoencoder": autoencoder_row(candidate) if candidate.hr_encoder else "its hr_encoder.onnx was not named",
    }
    if len(pictures) == 1:
        how["shuffled"] = "there is no other picture"
    return how


def _row(key: str, title: str, how: Opening | str) -> Row:
    return Row(key, title, None, how) if isinstance(how, str) else Row(key, title, how)


def model_row(candidate: Candidate, *, fidelity: float) -> Opening:
    """The model as the product runs it, with seed 0."""

    @contextmanager
    def opening(backend: Backend) -> Iterator[Produce]:
        with candidate.open(backend) as model:
            yield lambda sample: upscaled(model, sample.lr, fidelity=fidelity, seed=0)

    return opening


def upscaled(model: SRModel, lr: np.ndarray, *, fidelity: float, seed: int) -> np.ndarray:
    """(h, w) uint8 -> (4h, 4w) uint8, by the product's pipeline."""
    return upscale(Radiograph(lr, 8, "0" * 64), model, seed=seed, fidelity=fidelity).pixels


def regression_row(network: Path, gains: np.ndarray | None = None) -> Opening:
    """A feed-forward ``lr`` to ``sr``; with gains its rings are sharpened, over the whole picture."""

    @contextmanager
    def opening(backend: Backend) -> Iterator[Produce]:
        with backend.open(network) as session:

            def produce(sample: Sample) -> np.ndarray:
                sr = regressed(session, sample)
                return from_unit(sr if gains is None else project(sharpen(sr, gains), to_unit(sample.lr)), 8)

            yield produce

    return opening


def regressed(session: Session, sample: Sample) -> np.ndarray:
    """(1, 1, H, W) float32 in [0, 1], not rounded: what the sharpening starts from, and is fitted on."""
    return tiled(lambda tiles: project(session.run({"lr": tiles.lr})["sr"], tiles.lr), sample)


def autoencoder_row(candidate: Candidate) -> Opening:
    """The decoder on the latents of HR."""

    @contextmanager
    def opening(backend: Backend) -> Iterator[Produce]:
        assert candidate.hr_encoder is not None
        with backend.open(candidate.hr_encoder) as encoder:
            row = _decoded(candidate, lambda model, tiles: encoder.run({"hr": tiles.hr})["latents"])
            with row(backend) as produce:
                yield produce

    return opening


def unprojected_row(candidate: Candidate) -> Opening:
    """What a feed-forward network puts out itself, clipped."""

    @contextmanager
    def opening(backend: Backend) -> Iterator[Produce]:
        manifest = candidate.bundle.manifest
        with backend.open(candidate.bundle.path("generator")) as session:

            def run(tiles: Tiles) -> np.ndarray:
                return session.run({"lr": tiles.lr})["sr"].clip(0, 1)

            yield lambda sample: from_unit(tiled(run, sample, tile=manifest.input.tile, projected=False), 8)

    return opening


def _decoded(
    candidate: Candidate, latents: Callable[[LatentDiffusion, Tiles], np.ndarray], *, projected: bool = True
) -> Opening:
    """The bundle's decoder on the latents of each tile, (N, C, H, W). projected: where LR is the area mean."""

    @contextmanager
    def opening(backend: Backend) -> Iterator[Produce]:
        with candidate.open_parts(backend) as model:
            tile, area = model.tile or REGRESSION_TILE, projected and model.degradation == "area"

            def run(tiles: Tiles) -> np.ndarray:
                feeds = {"latents": latents(model, tiles), "lr": tiles.lr}
                return model.decode(**feeds) if projected else model.run("decoder", feeds, "sr").clip(0, 1)

            yield lambda sample: from_unit(tiled(run, sample, tile=tile, projected=area), 8)

    return opening


def _zeros(model: LatentDiffusion, lr: np.ndarray) -> np.ndarray:
    return np.zeros((len(lr), *model.noise_shape(*lr.shape[2:])), np.float32)


def _interpolated(function: Callable[[np.ndarray], np.ndarray]) -> Opening:
    """A function of the whole picture that needs no session."""

    @contextmanager
    def opening(backend: Backend) -> Iterator[Produce]:
        yield lambda sample: from_unit(function(to_unit(sample.lr)), 8)

    return opening


def tiled(
    run: Callable[[Tiles], np.ndarray], sample: Sample, *, tile: int = REGRESSION_TILE, projected: bool = True
) -> np.ndarray:
    """(1, 1, H, W) float32: the tiles of a sample run in batches and laid together as ``edge_sr.pipeline`` does it.

    run: tiles -> (N, 1, 4 tile, 4 tile). projected: project the blend of several tiles, which need not agree with LR.
    """
    lr = to_unit(sample.lr)
    plan = plan_tiles(*sample.lr.shape, tile=tile, overlap=OVERLAP)
    hr = cut(to_unit(sample.hr), plan, ratio=SCALE)
    lr_tiles, other_tiles = (cut(field, plan) for field in (lr, to_unit(sample.other_lr)))
    batches = [slice(start, start + LARGEST_BATCH) for start in range(0, len(lr_tiles), LARGEST_BATCH)]
    parts = [run(Tiles(lr_tiles[batch], hr[batch], other_tiles[batch])) for batch in batches]
    sr = blend(np.concatenate(parts), plan, scale=SCALE)
    return project(sr, lr, scale=SCALE) if projected and len(lr_tiles) > 1 else sr
