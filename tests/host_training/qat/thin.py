"""Sizes of the thin edge model, and a short training of it."""

from __future__ import annotations

SETTINGS = {
    "hr_encoder": {"width": 8},
    "decoder": {"width": 8, "depth": 1},
    "encoder": {"width": 8, "depth": 1},
    "denoiser": {"widths": [8, 8, 16]},
    "diffusion": {"beta_schedule": "linear", "num_train_timesteps": 300, "rescale_betas_zero_snr": True},
}
SCHEDULE = """[schedule]
steps = 4
batch = 2
crop = 64
learning_rate = 1e-4
warmup = 1
checkpoint_every = 2
precision = "fp32"
"""
REST = """[qat]
calibration_pictures = 2
[diffusion]
beta_schedule = "linear"
num_train_timesteps = 300
rescale_betas_zero_snr = true
[hr_encoder]
width = 8
[decoder]
width = 8
depth = 1
[encoder]
width = 8
depth = 1
[denoiser]
widths = [8, 8, 16]
"""
CONFIG = SCHEDULE + REST
