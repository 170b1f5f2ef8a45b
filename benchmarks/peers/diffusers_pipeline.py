"""The published chain as a user of diffusers writes it: a pipeline of its components, its schedulers in a loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from diffusers.image_processor import VaeImageProcessor
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from diffusers.utils.torch_utils import randn_tensor
from PIL import Image

from benchmarks.peers.base import Surroundings
from benchmarks.peers.published_chain import LATENTS, NUM_TRAIN_TIMESTEPS, SCALING_FACTOR
from benchmarks.peers.torch_chain import EAGER, chain_cost, prepared
from host_training.nets.unet_lite import UNetLite

SCALE = 4
SCHEDULERS = {"ddpm": DDPMScheduler, "ddim": DDIMScheduler}
BETAS = {"beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear", "num_train_timesteps": NUM_TRAIN_TIMESTEPS}


class LatentUpscale(DiffusionPipeline):
    """An encoded picture is the condition of a denoiser in its latents."""

    vae: AutoencoderKL
    denoiser: UNetLite
    scheduler: Any

    def __init__(self, vae: AutoencoderKL, denoiser: UNetLite, scheduler: Any) -> None:
        super().__init__()
        self.register_modules(vae=vae, denoiser=denoiser, scheduler=scheduler)  # type: ignore[no-untyped-call]
        self.image_processor = VaeImageProcessor()
        self.set_progress_bar_config(disable=True)  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def __call__(self, image: Image.Image, num_inference_steps: int, generator: torch.Generator) -> np.ndarray:
        """An RGB picture of the final size -> (H, W, 3) float32 in [0, 1]."""
        pixels = self.image_processor.preprocess(image)
        cond = self.vae.encode(pixels).latent_dist.sample(generator) * SCALING_FACTOR
        latents = randn_tensor(LATENTS, generator=generator)
        self.scheduler.set_timesteps(num_inference_steps)
        for timestep in self.progress_bar(self.scheduler.timesteps):
            noise = self.denoiser(latents, cond, timestep[None])
            latents = self.scheduler.step(noise, timestep, latents, generator=generator).prev_sample
        decoded = self.vae.decode(latents / SCALING_FACTOR).sample
        sr: np.ndarray = self.image_processor.postprocess(decoded, output_type="np")[0]
        return sr


class PipelinePeer:
    """A ``Peer``."""

    random_weights = True
    about = "AutoencoderKL, UNet-lite and a scheduler in a DiffusionPipeline, as its documentation writes one, float32"

    def __init__(self, name: str, sampler: str, steps: int, where: Surroundings) -> None:
        self.name, self.steps = name, steps
        self.title = f"diffusers components, {steps} {sampler.upper()} steps, eager"
        self.parameters: int | None = None
        self.macs: int | None = None
        self.backend = f"torch {torch.__version__}, eager"
        self._sampler, self._threads = sampler, where.threads
        self._pipeline: LatentUpscale | None = None

    def open(self) -> None:
        self.parameters, self.macs = chain_cost(self.steps)
        torch.set_num_threads(self._threads)
        chain, _ = prepared(EAGER)
        self._pipeline = LatentUpscale(chain.autoencoder, chain.denoiser, SCHEDULERS[self._sampler](**BETAS))
        self._run(np.zeros((64, 64), np.uint8), steps=2)

    def __call__(self, lr: np.ndarray) -> np.ndarray:
        return self._run(lr, steps=self.steps)

    def _run(self, lr: np.ndarray, *, steps: int) -> np.ndarray:
        assert self._pipeline is not None, "open comes first"
        height, width = lr.shape
        upsampled = Image.fromarray(lr).resize((width * SCALE, height * SCALE), Image.Resampling.BICUBIC)
        sr = self._pipeline(upsampled.convert("RGB"), steps, torch.Generator().manual_seed(0))
        grey: np.ndarray = np.rint(sr.mean(axis=2) * 255).astype(np.uint8)
        return grey

    def close(self) -> None:
        self._pipeline = None
        prepared.cache_clear()


def ddpm300(where: Surroundings) -> PipelinePeer:
    return PipelinePeer("diffusers-ddpm300", "ddpm", NUM_TRAIN_TIMESTEPS, where)


def ddim25(where: Surroundings) -> PipelinePeer:
    return PipelinePeer("diffusers-ddim25", "ddim", 25, where)
