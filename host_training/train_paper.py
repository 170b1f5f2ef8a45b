"""Train the published system's denoiser: ``edge-sr-host train paper``.

UNet-lite learns the noise in the latents of a frozen KL autoencoder, beside the latents of the upsampled LR picture:
T = 300, linear betas, epsilon, mean squared error. The autoencoder is never trained and always takes the posterior's
mode, so all latents are computed once. Validation looks at the same noise at the same timesteps each time; with random
ones the loss says more about the draw than about the weights.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edge_sr.artifacts.bundle import file_sha256
from edge_sr.diffusion.samplers import sample
from edge_sr.errors import UsageError
from edge_sr.image.atomic import write_atomically
from host_training.data.latent_pairs import Pairs, Versions, degradation_of, latents_of
from host_training.data.protocol import HR_SIDE, listing
from host_training.loop import Config, LossOf, Schedule, Trainer, read_config
from host_training.loop.checkpoints import fingerprint
from host_training.losses import min_snr_weights
from host_training.nets.blocks import project
from host_training.nets.kl_autoencoder import load_autoencoder
from host_training.nets.paper_model import PaperModel
from host_training.settings import only_tables, table_as
from host_training.validation import PICTURES, SHOWN, panels_of

RECORD = "training.json"
DEGRADATIONS = ("area", "cubic", "cubic-from-hr")
VALIDATION_TIMESTEPS = 10  # evenly spread over the schedule
PANEL_STEPS = 20  # of DDIM, which shows in seconds how far a training has come

Latents = tuple[Tensor, Tensor]
"""HR's (n, 4, 32, 32) and cond (n, 4, 32, 32), on the CPU."""


@dataclass(frozen=True)
class Source:
    """source: of the autoencoder; see ``load_autoencoder``."""

    source: str


@dataclass(frozen=True)
class Data:
    """variants: augmented versions of each picture that are drawn beforehand."""

    variants: int = 1


@dataclass(frozen=True)
class Loss:
    """min_snr_gamma: of the min-SNR weighting; 0 for the plain mean squared error."""

    min_snr_gamma: float = 0.0


def train_paper(config: Config, *, data_dir: Path, out: Path, until: int | None = None) -> None:
    """Weights of the denoiser into ``out``, with the latents and a record of what it was trained with."""
    settings = read_config(config)
    only_tables(settings, "autoencoder", "data", "denoiser", "diffusion", "loss", "schedule")
    source, loss = table_as(Source, settings, "autoencoder"), table_as(Loss, settings, "loss")
    schedule, data = table_as(Schedule, settings, "schedule"), table_as(Data, settings, "data")
    versions = Versions(schedule.augment, data.variants)
    check_data(data_dir, schedule)
    autoencoder = load_autoencoder(source.source)
    model = PaperModel(settings, autoencoder)
    record = {
        "settings": {
            "autoencoder": asdict(source),
            "data": asdict(data),
            "denoiser": {"kind": "lite", **settings.get("denoiser", {})},
            "diffusion": asdict(model.diffusion),
            "loss": asdict(loss),
            "schedule": asdict(schedule),
        },
        "autoencoder_sha256": fingerprint(autoencoder.state_dict()),
        "degradation": degradation_of(data_dir),
        "data_manifest_sha256": file_sha256(listing(data_dir)),
    }
    trainer = Trainer(out, {"denoiser": model.denoiser}, schedule, origin=origin_of(record))
    autoencoder.to(trainer.device)
    with trainer.main_first():
        if trainer.processes.main:
            write_atomically(out / RECORD, json.dumps(record, indent=1).encode() + b"\n", overwrite=True)
        train = latents_for(model, data_dir, "train", trainer, versions)
        validation = latents_for(model, data_dir, "validation", trainer, Versions())

    def validate() -> dict[str, float]:
        return {"loss": fixed_loss(model, validation, trainer.device)}

    hr, lr = shown_pairs(data_dir, out.parent, trainer.device)

    def panels() -> np.ndarray:
        sr = drawn_pictures(model, lr)
        sr = project(sr, lr) if record["degradation"] == "area" else sr
        return panels_of(lr, sr, hr, title=f"paper, step {trainer.step}, {PANEL_STEPS} DDIM steps")

    trainer.run(
        noise_loss(model, trainer, train, gamma=loss.min_snr_gamma), validate=validate, panels=panels, until=until
    )


def check_data(data_dir: Path, schedule: Schedule) -> None:
    """UsageError where data or crops are not those of paper mode, before anything large is read."""
    degradation = degradation_of(data_dir)
    if degradation not in DEGRADATIONS:
        what, expected = f"paper mode has no degradation {degradation}", ", ".join(DEGRADATIONS)
        raise UsageError(what, where=data_dir, expected=expected, hint="edge-sr-host prepare --degradation cubic")
    if schedule.crop != HR_SIDE:
        raise UsageError(f"crop = {schedule.crop}", where="[schedule]", expected=f"{HR_SIDE}: whole pictures")


def origin_of(record: dict[str, Any]) -> str:
    """The record's hash, without where the autoencoder was read from, and the schedule, which the trainer compares."""
    settings = {name: table for name, table in record["settings"].items() if name not in ("schedule", "autoencoder")}
    return hashlib.sha256(json.dumps({**record, "settings": settings}, sort_keys=True).encode()).hexdigest()


def latents_for(model: PaperModel, data_dir: Path, split: str, trainer: Trainer, versions: Versions) -> Latents:
    """All of the training pairs, or the fixed part of the validation pairs."""
    pairs = Pairs(data_dir, split, cache_dir=trainer.folder.parent, versions=versions, seed=trainer.schedule.seed)
    chosen = range(len(pairs)) if split == "train" else evenly(len(pairs), PICTURES)
    if not chosen:
        raise UsageError(f"no pictures in the {split} split", where=data_dir, hint="more patients")
    return latents_of(
        pairs,
        chosen,
        (model.hr_encoder, model.encoder),
        trainer.folder / f"latents-{split}.safetensors",
        made_by=f"{trainer.origin} seed {trainer.schedule.seed}",
        device=trainer.device,
    )


def evenly(count: int, most: int) -> range:
    """At most so many indices, spread over all."""
    return range(0, count, max(1, count // most))[:most]


def noise_loss(model: PaperModel, trainer: Trainer, latents: Latents, *, gamma: float) -> LossOf:
    """Squared error of what the denoiser predicts, at a random timestep for each sample."""
    schedule, (clean, cond) = trainer.schedule, latents

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = np.random.Generator(np.random.PCG64([schedule.seed, step]))
        chosen = rng.integers(0, len(clean), schedule.batch)[trainer.samples]
        drawn = rng.integers(0, len(model.alphas_cumprod), schedule.batch)[trainer.samples]
        timesteps = torch.from_numpy(drawn).to(trainer.device)
        error = prediction_error(
            model,
            (clean[chosen].to(trainer.device), cond[chosen].to(trainer.device)),
            trainer.normal(step, *clean.shape[1:]),
            timesteps,
        )
        if gamma:
            error = error * min_snr_weights(model.abar(timesteps), model.prediction_type, gamma=gamma)
        return error.mean(), {}

    return loss_of


def prediction_error(model: PaperModel, latents: Latents, noise: Tensor, timesteps: Tensor) -> Tensor:
    """(N,): the mean squared error of each sample's prediction."""
    clean, cond = latents
    noisy, target = model.noisy(clean, noise, timesteps)
    return (model.denoiser(noisy, cond, timesteps).float() - target).square().mean((1, 2, 3))


def fixed_loss(model: PaperModel, latents: Latents, device: torch.device) -> float:
    """The mean squared error over a few timesteps, each with noise of its own, the same whenever it is called."""
    clean, cond = (x.to(device) for x in latents)
    last = len(model.alphas_cumprod) - 1
    generator = torch.Generator().manual_seed(0)
    errors = []
    for timestep in np.linspace(0, last, VALIDATION_TIMESTEPS).round().astype(int):
        noise = torch.randn(clean.shape, generator=generator).to(device)
        timesteps = torch.full((len(clean),), int(timestep), device=device)
        errors.append(prediction_error(model, (clean, cond), noise, timesteps).mean())
    return float(torch.stack(errors).mean())


def shown_pairs(data_dir: Path, cache_dir: Path, device: torch.device) -> tuple[Tensor, Tensor]:
    """The pairs of the panels: HR (n, 1, 256, 256), LR (n, 1, 64, 64)."""
    pairs = Pairs(data_dir, "validation", cache_dir=cache_dir, versions=Versions())
    hr, lr = pairs.batch(evenly(len(pairs), SHOWN))
    return torch.from_numpy(hr).to(device), torch.from_numpy(lr).to(device)


@torch.no_grad()
def drawn_pictures(model: PaperModel, lr: Tensor) -> Tensor:
    """A sample for each LR picture, always from the same noise: (N, 1, 64, 64) -> (N, 1, 256, 256)."""
    cond = model.encoder(lr)
    table = model.table("ddim", min(PANEL_STEPS, len(model.alphas_cumprod)))

    def denoise(z: np.ndarray, timestep: int) -> np.ndarray:
        out = model.denoiser(torch.from_numpy(z).to(lr.device), cond, torch.tensor([timestep], device=lr.device))
        return out.float().cpu().numpy()

    start = torch.randn(cond.shape, generator=torch.Generator().manual_seed(0)).numpy()
    return model.decoder(torch.from_numpy(sample(table, denoise, start)).to(lr.device), lr)
