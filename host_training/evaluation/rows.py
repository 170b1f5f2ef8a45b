"""The rows of the table: every way from LR to a picture that the model has to be compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_sr.artifacts.bundle import Bundle
from edge_sr.backends.base import Backend, Session
from edge_sr.diffusion.noise import noise_field
from edge_sr.errors import UsageError
from edge_sr.image.bicubic import upsample_bicubic
from edge_sr.image.consistency import project
from edge_sr.models.latent_diffusion import LatentDiffusion
from host_training.data.protocol import HR_SIDE, SCALE
from host_training.evaluation.pictures import Batch
from host_training.evaluation.sharpening import sharpen

FIDELITIES = {"model_1": 1.0, "model_05": 0.5, "model_0": 0.0}
TITLES = {
    "bicubic": "bicubic",
    "bicubic_projected": "bicubic, projected",
    "regression": "regression net",
    "regression_sharpened": "regression net, rings sharpened",
    "autoencoder": "autoencoder round trip (ceiling)",
    "model_1": "model, fidelity 1",
    "model_05": "model, fidelity 0.5",
    "model_0": "model, fidelity 0",
    "model_zeroed": "model, latents zeroed",
    "model_other": "model, another picture's latents",
}
BASELINES = ("regression.onnx", "hr_encoder.onnx")

Produce = Callable[[Batch], np.ndarray]
"""A batch -> pictures (N, 1, 256, 256) float32 in [0, 1], before rounding to 8 bit."""


@dataclass(frozen=True)
class Row:
    """One line of the table. produce is None where ``missing`` says what is not there."""

    key: str
    produce: Produce | None
    missing: str = ""

    @property
    def title(self) -> str:
        return TITLES[self.key]


def check_protocol(bundle: Bundle) -> None:
    """Raises UsageError for a bundle that the protocol of this evaluation does not fit."""
    manifest, tile = bundle.manifest, HR_SIDE // SCALE
    fits = (manifest.scale, manifest.input.tile, manifest.input.degradation) == (SCALE, tile, "area")
    if manifest.diffusion is None or not fits:
        expected = f"latent diffusion, scale {SCALE}, tile {tile}, degradation area"
        raise UsageError("this bundle cannot be evaluated", where=bundle.folder, expected=expected)


def open_baselines(folder: Path, backend: Backend, closing: ExitStack) -> dict[str, Session]:
    """Those of ``BASELINES`` that the folder holds, by file name."""
    present = [name for name in BASELINES if (folder / name).is_file()]
    return {name: closing.enter_context(backend.open(folder / name)) for name in present}


def model_row(model: LatentDiffusion, *, fidelity: float, seed: int) -> Produce:
    """The model as the product runs it: one noise field for every picture, a function of the seed alone."""

    def produce(batch: Batch) -> np.ndarray:
        shape = model.noise_shape(*batch.lr.shape[2:])
        noise = np.repeat(noise_field(seed, shape), len(batch.lr), axis=0) if fidelity < 1 else None
        return model(batch.lr, noise=noise, fidelity=fidelity)

    return produce


def regression_row(regression: Session) -> Produce:
    return lambda batch: project(regression.run({"lr": batch.lr})["sr"], batch.lr)


def sharpened_row(regression: Produce, gains: np.ndarray) -> Produce:
    """gains: one a ring, fitted on the validation split."""
    return lambda batch: project(sharpen(regression(batch), gains), batch.lr)


def all_rows(model: LatentDiffusion, baselines: Mapping[str, Session], gains: np.ndarray | None) -> list[Row]:
    """Every row in the order of the table. gains None: there was nothing to fit them on."""

    def zeros(lr: np.ndarray) -> np.ndarray:
        return np.zeros((len(lr), *model.noise_shape(*lr.shape[2:])), np.float32)

    produce: dict[str, Produce] = {
        "bicubic": lambda batch: upsample_bicubic(batch.lr),
        "bicubic_projected": lambda batch: project(upsample_bicubic(batch.lr), batch.lr),
        "model_zeroed": lambda batch: model.decode(zeros(batch.lr), batch.lr),
        "model_other": lambda batch: model.decode(model.latents(batch.other_lr), batch.lr),
    }
    produce |= {key: model_row(model, fidelity=fidelity, seed=0) for key, fidelity in FIDELITIES.items()}
    missing: dict[str, str] = {}
    if hr_encoder := baselines.get("hr_encoder.onnx"):
        produce["autoencoder"] = lambda batch: model.decode(hr_encoder.run({"hr": batch.hr})["latents"], batch.lr)
    else:
        missing["autoencoder"] = "no hr_encoder.onnx among the baselines"
    if regression := baselines.get("regression.onnx"):
        produce["regression"] = regression_row(regression)
    else:
        missing |= dict.fromkeys(("regression", "regression_sharpened"), "no regression.onnx among the baselines")
    if regression and gains is not None:
        produce["regression_sharpened"] = sharpened_row(produce["regression"], gains)
    else:
        missing.setdefault("regression_sharpened", "no validation pictures to fit the gains on")
    return [Row(key, produce.get(key), missing.get(key, "")) for key in TITLES]
