"""Train the edge model's LR encoder and denoiser: ``edge-sr-host train diffusion``.

The autoencoder comes first, and the feed-forward regression, which is the teacher of the central estimate. Three
stages, each from the weights of the one before:

1. latent: the classic loss, predicting clean latents from noisy ones at a random timestep, on cached latents.
2. distil: the denoiser is unrolled for the 1, 2 or 4 steps a device runs. At fidelity 1 it learns the latents of the
   regression's picture, at fidelity 0 to sample the latents of the truth. The decoder is not needed, let alone trained.
3. joint: judged on the projected picture, with the decoder learning too, on what the denoiser really gives it. It keeps
   rebuilding HR from true latents meanwhile, so that the latents keep their meaning.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from edge_sr.diffusion.samplers import SamplerTable
from host_training.data.crops import crop_batch, hr_stack, load_pictures, unit
from host_training.data.protocol import lr_of
from host_training.loop import (
    Config,
    LossOf,
    Schedule,
    Trainer,
    load_weights,
    read_checkpoint,
    read_config,
    write_tensors,
)
from host_training.losses import Lpips, energy_score, haarpsi_distance, lpips_weights, picture_distance, window_distance
from host_training.nets.autoencoder import LATENT_CHANNELS
from host_training.nets.blocks import project
from host_training.nets.edge_model import EdgeModel
from host_training.nets.feedforward import FeedForward
from host_training.settings import table_as
from host_training.validation import psnr_of, validation_pairs

STEP_COUNTS, STEP_COUNT_SHARES = (1, 2, 4), (0.8, 0.1, 0.1)
FIDELITY_SHARES = (0.5, 0.35, 0.15)  # of the batches: at 1, at 0, anywhere between
LATENT_WINDOWS = (1, 4, 16)  # positions
LPIPS_SPREAD = 0.5  # of the energy score's; see Lpips.score
ANCHOR_EVERY = 4  # steps; it costs as much as the rest of a step at fidelity 1


def train_diffusion(config: Config, *, data_dir: Path, out: Path, until: int | None = None) -> None:
    """out gets one folder a stage; the trained autoencoder and feed-forward regression are expected beside it.

    until: stop after this step of the stage that is in progress, to go on later; a stage begins when the one before it
    is finished.
    """
    settings = read_config(config)
    plan = table_as(Schedule, settings, "latent")
    torch.manual_seed(plan.seed)
    nets = EdgeModel(settings)
    autoencoder = out.parent / "autoencoder" / "weights.safetensors"
    origin = load_weights(autoencoder, hr_encoder=nets.hr_encoder, decoder=nets.decoder)
    nets.freeze()
    regression = FeedForward(**settings["regression"]).requires_grad_(False)
    load_weights(out.parent / "feedforward" / "weights.safetensors", generator=regression)

    trainer = Trainer(out / "latent", nets.learnt(decoder=False), plan, origin=origin)
    with trainer.main_first():
        pictures = load_pictures(data_dir, "train", cache_dir=out.parent)
        hr = hr_stack(pictures)
        latents = cached_latents(nets, hr, out / "latents.safetensors", trainer.device, autoencoder=origin)
    trainer.run(latent_loss(nets, trainer, latents, hr), validate=no_figures, until=until)

    lpips = Lpips(lpips_weights(data_dir)).to(trainer.device)
    for stage, before in (("distil", "latent"), ("joint", "distil")):
        if not trainer.finished:
            return
        origin = load_weights(out / before / "weights.safetensors", encoder=nets.encoder, denoiser=nets.denoiser)
        plan = table_as(Schedule, settings, stage)
        trainer = Trainer(out / stage, nets.learnt(decoder=stage == "joint"), plan, origin=origin)
        nets.hr_encoder.to(trainer.device)
        nets.decoder.to(trainer.device)
        if stage == "distil":
            loss = distil_loss(nets, trainer, pictures, regression.to(trainer.device))
        else:
            loss = image_loss(nets, trainer, pictures, lpips, settings["loss"])
        trainer.run(loss, validate=figures(nets, trainer, data_dir, out.parent, lpips), until=until)


@torch.no_grad()
def cached_latents(nets: EdgeModel, hr: np.ndarray, path: Path, device: torch.device, *, autoencoder: str) -> Tensor:
    """The true latents of every training picture, (n, 4, 32, 32), computed once for one autoencoder.

    autoencoder: the hash of its weights; latents that another one made are computed anew.
    """
    if path.is_file():
        metadata, tensors = read_checkpoint(path)
        if metadata.get("autoencoder") == autoencoder and len(tensors["latents"]) == len(hr):
            return tensors["latents"]
    nets.hr_encoder.to(device)
    batches = [
        nets.hr_encoder(torch.from_numpy(unit(hr[i : i + 16, None])).to(device)).float().cpu()
        for i in tqdm(range(0, len(hr), 16), desc="encoding latents", unit="batch")
    ]
    latents = torch.cat(batches)
    write_tensors(path, {"latents": latents}, metadata={"autoencoder": autoencoder})
    return latents


def latent_loss(nets: EdgeModel, trainer: Trainer, latents: Tensor, hr: np.ndarray) -> LossOf:
    """Stage 1: mean squared error of the predicted clean latents at one random timestep a batch."""
    schedule = trainer.schedule

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = np.random.Generator(np.random.PCG64([schedule.seed, step]))
        chosen = rng.integers(0, len(hr), schedule.batch)[trainer.samples]
        lr = torch.from_numpy(unit(lr_of(hr[chosen][:, None]))).to(trainer.device)
        return noisy_latent_error(nets, trainer, step, latents[chosen].to(trainer.device), nets.encoder(lr)), {}

    return loss_of


def noisy_latent_error(nets: EdgeModel, trainer: Trainer, step: int, clean: Tensor, cond: Tensor) -> Tensor:
    """||x0 - net(sqrt(a) x0 + sqrt(1 - a) noise, t)||^2 (arXiv 2202.00512, the x-prediction form)."""
    timestep = int(torch.randint(len(nets.alphas_cumprod), (1,), generator=trainer.generator(step)))
    alpha = float(nets.alphas_cumprod[timestep])
    noise = trainer.normal(step, *clean.shape[1:], stream=2)
    noisy = alpha**0.5 * clean + (1 - alpha) ** 0.5 * noise
    predicted = nets.denoiser(noisy, cond, torch.tensor([timestep], device=clean.device)).float()
    return (predicted - clean).square().mean()


def distil_loss(nets: EdgeModel, trainer: Trainer, pictures: np.ndarray, regression: FeedForward) -> LossOf:
    """Stage 2, in the latents: squared error to the regression's at fidelity 1, energy score of the truth's at 0.

    Through the decoder the same aims are learnt many times slower: its slope in the latents is small and crooked.
    """

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        truth, lr = training_pair(trainer, pictures, step)
        fidelity, table = drawn(nets, trainer, step)
        with torch.no_grad():
            clean = nets.hr_encoder(truth).float()
            central = nets.hr_encoder(project(regression(lr), lr)).float()
        cond = nets.encoder(lr)
        samples = [nets.unroll(noise, cond, table) for noise in two_noises(trainer, step, clean, fidelity)]
        error = torch.stack([(sample - central).square().mean() for sample in samples]).mean()
        distance = partial(window_distance, windows=LATENT_WINDOWS)
        score = energy_score(samples[0], samples[-1], clean, spread=1.0, distance=distance)
        loss = fidelity * error + (1 - fidelity) * score
        loss = loss + 0.1 * noisy_latent_error(nets, trainer, step, clean, cond)
        return loss, {"fidelity": fidelity, "error": error.item(), "score": score.item()}

    return loss_of


def training_pair(trainer: Trainer, pictures: np.ndarray, step: int) -> tuple[Tensor, Tensor]:
    """HR and LR crops of one step."""
    schedule = trainer.schedule
    pair = crop_batch(
        pictures, seed=schedule.seed, step=step, samples=trainer.samples, size=schedule.crop, augment=schedule.augment
    )
    return torch.from_numpy(pair[0]).to(trainer.device), torch.from_numpy(pair[1]).to(trainer.device)


def drawn(nets: EdgeModel, trainer: Trainer, step: int) -> tuple[float, SamplerTable]:
    """Fidelity and number of sampler steps of one training step."""
    rng = np.random.Generator(np.random.PCG64([trainer.schedule.seed, step, 1]))
    fidelity = float(rng.choice([1.0, 0.0, rng.uniform()], p=FIDELITY_SHARES))
    return fidelity, nets.table(int(rng.choice(STEP_COUNTS, p=STEP_COUNT_SHARES)))


def two_noises(trainer: Trainer, step: int, like: Tensor, fidelity: float) -> list[Tensor]:
    """The noise of two samples, scaled as at run time; one of zeros at fidelity 1."""
    streams = (0, 1) if fidelity < 1 else (0,)
    return [trainer.normal(step, *like.shape[1:], stream=stream) * (1 - fidelity) for stream in streams]


def image_loss(
    nets: EdgeModel, trainer: Trainer, pictures: np.ndarray, lpips: Lpips, weights: dict[str, float]
) -> LossOf:
    """Stage 3: the energy score of two samples of the projected picture, at a random fidelity.

    At fidelity 1 there is no noise and the score is the plain distance; at 0 it is proper, its minimum the posterior.
    """

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        truth, lr = training_pair(trainer, pictures, step)
        fidelity, table = drawn(nets, trainer, step)
        with torch.no_grad():
            clean = nets.hr_encoder(truth).float()
        cond = nets.encoder(lr)
        latents = [nets.unroll(noise, cond, table) for noise in two_noises(trainer, step, clean, fidelity)]
        samples = [project(nets.decoder(z, lr), lr) for z in latents]

        def at(name: str) -> float:
            return fidelity * weights[f"{name}_at_1"] + (1 - fidelity) * weights[f"{name}_at_0"]

        distance = partial(picture_distance, squared=at("squared"))
        score = energy_score(samples[0], samples[-1], truth, spread=1 - fidelity, distance=distance)
        loss = at("score") * score + weights["latent"] * noisy_latent_error(nets, trainer, step, clean, cond)
        if at("haarpsi"):
            loss = loss + at("haarpsi") * haarpsi_distance(samples[0], truth)
        perceptual = torch.zeros(())
        if at("lpips"):
            few = max(1, len(truth) // 2)
            spread = (1 - fidelity) * LPIPS_SPREAD
            perceptual = lpips.score(samples[0][:few], samples[-1][:few], truth[:few], spread=spread)
            loss = loss + at("lpips") * perceptual
        if weights["anchor"] and step % ANCHOR_EVERY == 0:
            blurred = clean + weights["latent_noise"] * trainer.normal(step, *clean.shape[1:], stream=3)
            rebuilt = project(nets.decoder(blurred, lr), lr)
            loss = loss + weights["anchor"] * picture_distance(rebuilt, truth, squared=weights["squared_at_1"])
        return loss, {"fidelity": fidelity, "score": score.item(), "lpips": perceptual.item()}

    return loss_of


def no_figures() -> dict[str, float]:
    """Validation of the first stage, whose pictures say nothing yet."""
    return {}


def figures(
    nets: EdgeModel, trainer: Trainer, data_dir: Path, cache_dir: Path, lpips: Lpips
) -> Callable[[], dict[str, float]]:
    """Validation at one step: PSNR and LPIPS at both ends of the fidelity knob, spread, and what the latents carry."""

    def validate() -> dict[str, float]:
        truth, lr = validation_pairs(data_dir, cache_dir, trainer.device)
        noise = torch.randn((4, len(lr), LATENT_CHANNELS, 32, 32), generator=trainer.generator(0)).to(trainer.device)
        table = nets.table(1)
        mean = nets.upscale(lr, torch.zeros_like(noise[0]), table)
        samples = torch.stack([nets.upscale(lr, n, table) for n in noise])
        middle = nets.upscale(lr, noise[0] * 0.5, table)
        zeroed = project(nets.decoder(torch.zeros_like(noise[0]), lr), lr)
        spread = samples.var(0).mean() / (samples.mean(0) - truth).square().mean()
        return {
            "psnr_1": psnr_of(mean, truth),
            "psnr_half": psnr_of(middle, truth),
            "psnr_0": psnr_of(samples[0], truth),
            "psnr_zeroed": psnr_of(zeroed, truth),
            "haarpsi_1": 1 - haarpsi_distance(mean, truth).item(),
            "lpips_1": lpips(mean, truth).item(),
            "lpips_half": lpips(middle, truth).item(),
            "lpips_0": lpips(samples[0], truth).item(),
            "spread": spread.item(),
        }

    return validate
