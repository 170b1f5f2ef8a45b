"""A paper training of a few steps, and its configuration."""

from __future__ import annotations

from pathlib import Path

import torch

from host_training.train_paper import train_paper

PLAN = 'batch = 2\nlearning_rate = 1e-3\nwarmup = 1\ncheckpoint_every = 2\nlog_every = 1\nprecision = "fp32"\n'
LITE = 'kind = "lite"\nwidths = [8, 8, 16]'


def config_text(checkpoint: Path, *, steps: int = 4, denoiser: str = LITE, more: str = "", crop: int = 256) -> str:
    return (
        f'[autoencoder]\nsource = "{checkpoint}"\n[data]\nvariants = 1\n'
        f"[denoiser]\n{denoiser}\n{more}\n[schedule]\nsteps = {steps}\ncrop = {crop}\n{PLAN}augment = 'paper'\n"
    )


def trained(text: str, data_dir: Path, out: Path, *, until: int | None = None, seed: int = 0) -> Path:
    out.parent.mkdir(parents=True, exist_ok=True)
    config = out.parent / "paper.toml"
    config.write_text(text)
    torch.manual_seed(seed)
    train_paper(config, data_dir=data_dir, out=out, until=until)
    return out
