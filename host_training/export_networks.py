"""The networks of a bundle as ONNX files, each checked against PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor

from build_engines.compose import compose
from edge_sr.artifacts.manifest import NetworkFile
from edge_sr.diffusion.samplers import sample
from edge_sr.image.consistency import ROUNDS, project
from host_training.to_onnx import check, network_file, to_onnx
from host_training.trained import LATENT_STRIDE, Trained, TrainedGenerator

TILE = 64  # LR pixels


def export_networks(trained: Trained | TrainedGenerator, staging: Path) -> dict[str, NetworkFile]:
    """Every network of the family under staging/onnx, by role."""
    folder = staging / "onnx"
    folder.mkdir(parents=True)
    roles = write_chain(trained, folder) if isinstance(trained, Trained) else write_generator(trained, folder)
    return {role: network_file(folder / f"{role}.onnx") for role in roles}


def write_chain(trained: Trained, folder: Path) -> list[str]:
    """Encoder, denoiser and decoder, and the composed graph where the default sampler can be one."""
    lr, latents = torch.rand(2, 1, TILE, TILE), torch.randn(2, 4, TILE // LATENT_STRIDE, TILE // LATENT_STRIDE)
    with torch.no_grad():
        cond = trained.encoder(lr)
    timestep = torch.tensor([int(trained.table.timesteps[0])])
    to_onnx(trained.encoder, folder / "encoder.onnx", {"lr": lr}, "cond")
    to_onnx(
        trained.denoiser,
        folder / "denoiser.onnx",
        {"latents": latents, "cond": cond, "timestep": timestep},
        "prediction",
    )
    to_onnx(trained.decoder, folder / "decoder.onnx", {"latents": latents, "lr": lr}, "sr")
    roles = ["encoder", "denoiser", "decoder"]
    if trained.table.deterministic:
        parts = [onnx.load(folder / f"{role}.onnx") for role in roles]
        rounds = ROUNDS if trained.degradation == "area" else 0
        composed = compose(*parts, table=trained.table, scale=trained.scale, projection_rounds=rounds)
        onnx.save(composed, folder / "upscale.onnx")
        check(folder / "upscale.onnx", {"lr": lr, "noise": latents}, staged(trained, lr, latents))
        roles.append("upscale")
    return roles


def write_generator(trained: TrainedGenerator, folder: Path) -> list[str]:
    """The one network of a feed-forward family."""
    lr = torch.rand(2, trained.channels, TILE, TILE)
    to_onnx(trained.generator, folder / "generator.onnx", {"lr": lr}, "sr")
    return ["generator"]


@torch.no_grad()
def staged(trained: Trained, lr: Tensor, noise: Tensor) -> Tensor:
    """What the composed graph has to compute, network by network in PyTorch."""
    cond = trained.encoder(lr)

    def denoise(z: np.ndarray, timestep: int) -> np.ndarray:
        return trained.denoiser(torch.from_numpy(z), cond, torch.tensor([timestep])).numpy()

    latents = torch.from_numpy(sample(trained.table, denoise, noise.numpy()))
    sr = trained.decoder(latents, lr).numpy()
    projected = project(sr, lr.numpy(), scale=trained.scale) if trained.degradation == "area" else sr.clip(0, 1)
    return torch.from_numpy(projected)
