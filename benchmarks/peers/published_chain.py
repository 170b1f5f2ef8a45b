"""The published latent diffusion chain: AutoencoderKL, UNet-lite and 300 DDPM steps, eager in torch.

Weights are random: they do not change the time. Everything that could slow it without need is left out: no gradients,
the condition is encoded once, a step's arithmetic on the latents is two multiplications and the noise, and torch takes
as many threads as it likes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

from edge_sr.diffusion.samplers import sampler_table
from edge_sr.diffusion.schedule import make_alphas_cumprod
from edge_sr.image.bicubic import upsample_bicubic
from edge_sr.image.radiograph import to_unit
from host_training.nets.unet_lite import UNetLite

NUM_TRAIN_TIMESTEPS = 300
SCALING_FACTOR = 0.18215  # of the autoencoder's latents, as in its config.json
LATENTS = (1, 4, 32, 32)  # of a 256x256 picture

# config.json of stabilityai/sd-vae-ft-mse
AUTOENCODER = {
    "in_channels": 3,
    "out_channels": 3,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [128, 256, 512, 512],
    "layers_per_block": 2,
    "latent_channels": 4,
    "norm_num_groups": 32,
    "act_fn": "silu",
    "sample_size": 256,
}


@dataclass(frozen=True, eq=False)
class PublishedChain:
    """The two networks, ready to run."""

    autoencoder: AutoencoderKL
    denoiser: UNetLite


def build_chain(*, seed: int = 0) -> PublishedChain:
    """Both networks with random weights from seed, in evaluation mode; 84 million parameters in float32."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return PublishedChain(AutoencoderKL(**AUTOENCODER).eval(), UNetLite().eval())


@torch.inference_mode()
def super_resolve(
    chain: PublishedChain,
    lr: np.ndarray,
    *,
    num_inference_steps: int = NUM_TRAIN_TIMESTEPS,
    sampler: str = "ddpm",
    seed: int = 0,
) -> np.ndarray:
    """(64, 64) uint8 -> (256, 256) uint8. num_inference_steps: 300 is every step, as published."""
    cond = _encode(chain.autoencoder, lr)  # (1, 4, 32, 32)
    generator = torch.Generator().manual_seed(seed)
    latents = torch.randn(LATENTS, generator=generator)
    timesteps, coefficients = step_coefficients(num_inference_steps, sampler=sampler)
    for timestep, (keep, use, draw) in zip(torch.from_numpy(timesteps)[:, None], coefficients.tolist(), strict=True):
        latents = keep * latents + use * chain.denoiser(latents, cond, timestep)
        if draw:
            latents += draw * torch.randn(LATENTS, generator=generator)
    sr = chain.autoencoder.decode(latents / SCALING_FACTOR).sample  # (1, 3, 256, 256), about [-1, 1]
    grey = sr.mean(dim=1)[0]
    pixels: np.ndarray = ((grey + 1) * 127.5).round().clamp(0, 255).byte().numpy()
    return pixels


def step_coefficients(num_inference_steps: int, *, sampler: str = "ddpm") -> tuple[np.ndarray, np.ndarray]:
    """(K,) int64 timesteps and (K, 3) float64: z' = keep * z + use * predicted noise + draw * noise.

    Linear betas from 1e-4 to 0.02, epsilon prediction and, for ddpm, sigma^2 = beta, as published; the prediction of x0
    between the two (see edge_sr.diffusion.samplers) is multiplied out. sampler: ddpm, or ddim, which draws nothing.
    """
    abar = make_alphas_cumprod("linear", NUM_TRAIN_TIMESTEPS, rescale_betas_zero_snr=False)
    table = sampler_table(sampler, abar, num_inference_steps=num_inference_steps, prediction_type="epsilon")
    return table.timesteps, np.stack([table.c + table.d * table.p, table.d * table.q, table.n], axis=1)


def threads() -> int:
    """How many torch runs on: one a core, unless OMP_NUM_THREADS says otherwise."""
    return torch.get_num_threads()


def _encode(autoencoder: AutoencoderKL, lr: np.ndarray) -> torch.Tensor:
    """(64, 64) uint8 -> (1, 4, 32, 32): bicubic to 256, grey as three channels in [-1, 1], the posterior's mode."""
    upsampled = torch.from_numpy(upsample_bicubic(to_unit(lr)))  # (1, 1, 256, 256)
    rgb = (upsampled * 2 - 1).expand(-1, 3, -1, -1)
    cond: torch.Tensor = autoencoder.encode(rgb).latent_dist.mode() * SCALING_FACTOR
    return cond
