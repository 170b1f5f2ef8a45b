"""How much noise a latent carries at each training timestep.

Everything is float64. ``alphas_cumprod[t]`` is the alpha-bar_t of the papers: the share of the clean signal's variance
that is left at timestep t, so a noisy latent is ``sqrt(abar) * x0 + sqrt(1 - abar) * noise``
(DDPM, arXiv 2006.11239, equation 4).
"""

from __future__ import annotations

import math

import numpy as np

from edge_sr.errors import UsageError

BETA_SCHEDULES = ("linear", "cosine")


def linear_betas(num_train_timesteps: int = 300, start: float = 1e-4, end: float = 0.02) -> np.ndarray:
    """(T,) float64, evenly spaced from start to end (DDPM, arXiv 2006.11239, section 4; T = 300 as published for L)."""
    _check_length(num_train_timesteps)
    if not 0 < start <= end < 1:
        raise UsageError(f"betas from {start} to {end}", where="beta_schedule", expected="0 < start <= end < 1")
    return np.linspace(start, end, num_train_timesteps)


def cosine_betas(num_train_timesteps: int) -> np.ndarray:
    """(T,) float64 of the cosine schedule, at most 0.999 (arXiv 2102.09672, equation 17 and the line below it)."""
    _check_length(num_train_timesteps)
    offset = 0.008  # keeps the first betas from vanishing, same place in the paper
    angle = (np.arange(num_train_timesteps + 1) / num_train_timesteps + offset) / (1 + offset) * math.pi / 2
    signal = np.cos(angle) ** 2
    betas: np.ndarray = np.minimum(1 - signal[1:] / signal[:-1], 0.999)
    return betas


def rescale_zero_terminal_snr(betas: np.ndarray) -> np.ndarray:
    """(T,) betas, T >= 2 -> (T,) betas whose alphas_cumprod ends in exactly 0 (arXiv 2305.08891, algorithm 1).

    The first alphas_cumprod keeps its value; the square roots in between are shifted and stretched linearly.
    """
    _check_length(len(betas), least=2)
    root = np.sqrt(alphas_cumprod(betas))
    root = (root - root[-1]) * (root[0] / (root[0] - root[-1]))
    cumprod = root**2
    return 1 - np.concatenate([cumprod[:1], cumprod[1:] / cumprod[:-1]])


def alphas_cumprod(betas: np.ndarray) -> np.ndarray:
    """(T,) betas -> (T,) float64 running product of 1 - beta (DDPM, arXiv 2006.11239, above equation 4)."""
    return np.cumprod(1 - np.asarray(betas, np.float64))


def make_alphas_cumprod(
    beta_schedule: str,
    num_train_timesteps: int,
    *,
    rescale_betas_zero_snr: bool,
    beta_start: float = 1e-4,
    beta_end: float = 0.02,
) -> np.ndarray:
    """(T,) float64 from the fields of a manifest's ``diffusion`` section.

    beta_schedule: "linear" (uses beta_start and beta_end) or "cosine" (does not).
    UsageError where a value is out of range.
    """
    if beta_schedule == "linear":
        betas = linear_betas(num_train_timesteps, beta_start, beta_end)
    elif beta_schedule == "cosine":
        betas = cosine_betas(num_train_timesteps)
    else:
        known = ", ".join(BETA_SCHEDULES)
        raise UsageError(f"no such schedule: {beta_schedule}", where="beta_schedule", expected=known)
    return alphas_cumprod(rescale_zero_terminal_snr(betas) if rescale_betas_zero_snr else betas)


def _check_length(num_train_timesteps: int, least: int = 1) -> None:
    if num_train_timesteps < least:
        what = f"{num_train_timesteps} training timesteps"
        raise UsageError(what, where="num_train_timesteps", expected=f"at least {least}")
