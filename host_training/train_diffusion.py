"""Train the edge model's LR encoder and denoiser: ``edge-sr-host train diffusion``, after the autoencoder.

Three stages, each from the weights of the one before:

1. latent: the classic loss, predicting clean latents from noisy ones at a random timestep, on cached latents.
2. image: the denoiser is unrolled for the 1, 2 or 4 steps a device runs and judged on the projected picture; the
   decoder is frozen, so what the picture needs has to go through the latents.
3. joint: the same, with the decoder learning too, on what the denoiser really gives it. It keeps rebuilding HR from
   true latents meanwhile, so that the latents keep their meaning and the diffusion does not become decoration.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from host_training.data.crops import crop_batch, load_hr, unit
from host_training.data.protocol import lr_of
from host_training.loop import Schedule, Trainer, load_weights, read_checkpoint, read_config, write_tensors
from host_training.losses import Lpips, energy_score, picture_distance
from host_training.nets.autoencoder import LATENT_CHANNELS
from host_training.nets.blocks import project
from host_training.nets.edge_model import EdgeModel
from host_training.validation import psnr_of, validation_pairs

STEP_COUNTS, STEP_COUNT_SHARES = (1, 2, 4), (0.8, 0.1, 0.1)
FIDELITY_SHARES = (0.4, 0.4, 0.2)  # of the batches: at 1, at 0, anywhere between


def train_diffusion(config: Path, *, data_dir: Path, out: Path, until: int | None = None) -> None:
    """out gets one folder a stage; the trained autoencoder is expected beside it.

    until: stop after this step of the stage that is in progress, to go on later; a stage begins when the one before it
    is finished.
    """
    settings = read_config(config)
    hr = load_hr(data_dir, "train", cache_dir=out.parent)
    nets = EdgeModel(settings)
    autoencoder = out.parent / "autoencoder" / "weights.safetensors"
    origin = load_weights(autoencoder, hr_encoder=nets.hr_encoder, decoder=nets.decoder)
    nets.freeze()

    trainer = Trainer(out / "latent", nets.learnt(decoder=False), Schedule(**settings["latent"]), origin=origin)
    latents = cached_latents(nets, hr, out / "latents.safetensors", trainer.device, autoencoder=origin)
    trainer.run(latent_loss(nets, trainer, latents, hr), validate=no_figures, until=until)

    lpips = Lpips(data_dir / "lpips" / "lpips_squeeze_v0.1.safetensors").to(trainer.device)
    for stage, before in (("image", "latent"), ("joint", "image")):
        if not trainer.finished:
            return
        learnt = nets.learnt(decoder=stage == "joint")
        origin = load_weights(out / before / "weights.safetensors", encoder=nets.encoder, denoiser=nets.denoiser)
        trainer = Trainer(out / stage, learnt, Schedule(**settings[stage]), origin=origin)
        weights = settings["loss"] | ({} if stage == "joint" else {"anchor": 0.0})
        loss = image_loss(nets, trainer, hr, lpips, weights)
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


LossOf = Callable[[int], tuple[Tensor, dict[str, float]]]


def latent_loss(nets: EdgeModel, trainer: Trainer, latents: Tensor, hr: np.ndarray) -> LossOf:
    """Stage 1: mean squared error of the predicted clean latents at one random timestep a batch."""
    schedule = trainer.schedule

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = np.random.Generator(np.random.PCG64([schedule.seed, step]))
        chosen = rng.integers(0, len(hr), schedule.batch)
        lr = torch.from_numpy(unit(lr_of(hr[chosen][:, None]))).to(trainer.device)
        return noisy_latent_error(nets, trainer, step, latents[chosen].to(trainer.device), nets.encoder(lr)), {}

    return loss_of


def noisy_latent_error(nets: EdgeModel, trainer: Trainer, step: int, clean: Tensor, cond: Tensor) -> Tensor:
    """||x0 - net(sqrt(a) x0 + sqrt(1 - a) noise, t)||^2 (arXiv 2202.00512, the x-prediction form)."""
    generator = trainer.generator(step)
    timestep = int(torch.randint(len(nets.alphas_cumprod), (1,), generator=generator))
    alpha = float(nets.alphas_cumprod[timestep])
    noise = torch.randn(clean.shape, generator=generator).to(clean.device)
    noisy = alpha**0.5 * clean + (1 - alpha) ** 0.5 * noise
    predicted = nets.denoiser(noisy, cond, torch.tensor([timestep], device=clean.device)).float()
    return (predicted - clean).square().mean()


def image_loss(nets: EdgeModel, trainer: Trainer, hr: np.ndarray, lpips: Lpips, weights: dict[str, float]) -> LossOf:
    """Stages 2 and 3: the energy score of two samples of the projected picture, at a random fidelity.

    At fidelity 1 there is no noise and the score is the plain distance; at 0 it is proper, its minimum the posterior.
    """
    schedule = trainer.schedule
    nets.hr_encoder.to(trainer.device)
    nets.decoder.to(trainer.device)

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        pair = crop_batch(hr, seed=schedule.seed, step=step, batch=schedule.batch, size=schedule.crop)
        truth, lr = (torch.from_numpy(x).to(trainer.device) for x in pair)
        rng = np.random.Generator(np.random.PCG64([schedule.seed, step, 1]))
        fidelity = float(rng.choice([1.0, 0.0, rng.uniform()], p=FIDELITY_SHARES))
        table = nets.table(int(rng.choice(STEP_COUNTS, p=STEP_COUNT_SHARES)))
        with torch.no_grad():
            clean = nets.hr_encoder(truth).float()
        cond = nets.encoder(lr)

        generator = trainer.generator(step)
        noises = torch.randn((2, *clean.shape), generator=generator).to(trainer.device) * (1 - fidelity)
        count = 2 if fidelity < 1 else 1
        samples = [project(nets.decoder(nets.unroll(noise, cond, table), lr), lr) for noise in noises[:count]]

        def at(name: str) -> float:
            return fidelity * weights[f"{name}_at_1"] + (1 - fidelity) * weights[f"{name}_at_0"]

        score = energy_score(samples[0], samples[-1], truth, spread=1 - fidelity, squared=at("squared"))
        few = max(1, schedule.batch // 4)
        perceptual = lpips(samples[0][:few], truth[:few])
        loss = at("score") * score + at("lpips") * perceptual
        loss = loss + weights["latent"] * noisy_latent_error(nets, trainer, step, clean, cond)
        if weights["anchor"]:
            blurred = clean + weights["latent_noise"] * torch.randn(clean.shape, generator=generator).to(trainer.device)
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
            "lpips_1": lpips(mean, truth).item(),
            "lpips_half": lpips(middle, truth).item(),
            "lpips_0": lpips(samples[0], truth).item(),
            "spread": spread.item(),
        }

    return validate
