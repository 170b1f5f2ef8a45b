"""The edge model as a whole: its networks, and how the denoiser is unrolled."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from edge_sr.diffusion.samplers import SamplerTable, sampler_table
from edge_sr.diffusion.schedule import make_alphas_cumprod
from host_training.nets.autoencoder import LATENT_CHANNELS, Decoder, HREncoder
from host_training.nets.blocks import project
from host_training.nets.lr_encoder import LREncoder
from host_training.nets.unet_lite import UNetLite


class EdgeModel:
    """LR encoder, denoiser and decoder, and the HR encoder that training alone needs.

    settings: a configuration such as ``host_training/configs/diffusion.toml``.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self.hr_encoder, self.decoder = HREncoder(**settings["hr_encoder"]), Decoder(**settings["decoder"])
        self.encoder = LREncoder(**settings["encoder"])
        width = settings["encoder"]["width"]
        channels = LATENT_CHANNELS + width
        self.denoiser = UNetLite(channels, LATENT_CHANNELS, time_after_relu=False, **settings["denoiser"])
        self.alphas_cumprod = make_alphas_cumprod(**settings["diffusion"])

    def freeze(self) -> None:
        """The autoencoder stays as it was trained, until ``learnt`` hands out its decoder."""
        self.hr_encoder.requires_grad_(False)
        self.decoder.requires_grad_(False)

    def learnt(self, *, decoder: bool) -> dict[str, torch.nn.Module]:
        """What a stage trains, under the names of its weights file."""
        nets: dict[str, torch.nn.Module] = {"encoder": self.encoder, "denoiser": self.denoiser}
        if decoder:
            nets["decoder"] = self.decoder.requires_grad_(True)
        return nets

    def table(self, steps: int) -> SamplerTable:
        """DDIM, which draws no noise on its way."""
        return sampler_table("ddim", self.alphas_cumprod, num_inference_steps=steps, prediction_type="sample")

    def unroll(self, noise: Tensor, cond: Tensor, table: SamplerTable) -> Tensor:
        """``edge_sr.diffusion.samplers.sample`` for a deterministic table, differentiable."""
        z = noise
        for k, timestep in enumerate(table.timesteps):
            out = self.denoiser(z, cond, torch.tensor([timestep], device=z.device)).float()
            x0 = float(table.p[k]) * z + float(table.q[k]) * out
            z = float(table.c[k]) * z + float(table.d[k]) * x0
        return z

    def upscale(self, lr: Tensor, noise: Tensor, table: SamplerTable) -> Tensor:
        """(N, 1, h, w) in [0, 1] and (N, 4, h/2, w/2) -> (N, 1, 4h, 4w), after one round of the projection."""
        return project(self.decoder(self.unroll(noise, self.encoder(lr), table), lr), lr)
