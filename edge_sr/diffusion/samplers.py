"""Every sampler as one small table, so that one loop (or one ONNX graph) runs them all.

A step takes the latents z at timestep t, the denoiser's output there, and gives the latents z' of the next timestep:

    x0 = p * z + q * out
    z' = c * z + d * x0 + e * x0_prev + n * noise

p and q undo the parametrisation, c, d, e and n are the sampler. Tables are float64 and computed once. Below, ``abar``
is alphas_cumprod at this timestep and ``abar_next`` at the next one visited, 1 after the last: every table ends in x0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edge_sr.errors import UsageError

SAMPLERS = ("ddpm", "ddim", "dpmsolver++")
PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")
DDPM_VARIANCES = ("beta", "posterior")

Denoise = Callable[[np.ndarray, int], np.ndarray]
"""Latents z and a timestep -> the network's output, of z's shape."""
NoiseOfStep = Callable[[int], np.ndarray]
"""Step k (0-based) -> standard normal noise of z's shape."""
_Update = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # c, d, e, n


@dataclass(frozen=True, eq=False)
class SamplerTable:
    """Coefficients of K steps in the order they run; see the module's docstring.

    timesteps: (K,) int64, descending, the first is num_train_timesteps - 1.
    p, q, c, d, e, n: (K,) float64. e is 0 in the first step; in the last c, e and n are 0 and d is 1.
    """

    timesteps: np.ndarray
    p: np.ndarray
    q: np.ndarray
    c: np.ndarray
    d: np.ndarray
    e: np.ndarray
    n: np.ndarray

    @property
    def deterministic(self) -> bool:
        """True where no step draws noise."""
        return not self.n.any()


def sampler_table(
    sampler: str,
    alphas_cumprod: np.ndarray,
    *,
    num_inference_steps: int,
    prediction_type: str,
    eta: float = 0.0,
    ddpm_variance: str = "beta",
) -> SamplerTable:
    """The table of one sampler with trailing spacing.

    sampler: one of SAMPLERS; "dpmsolver++" is 2M (midpoint), first and last step of first order.
    alphas_cumprod: (T,) float64, falling from below 1; its last value may be 0 (zero terminal SNR).
    num_inference_steps: K, 1..T. prediction_type: one of PREDICTION_TYPES.
    eta: DDIM alone: 0 draws no noise (the default: it can be written into one graph), 1 is DDPM with "posterior".
    ddpm_variance: DDPM alone: "beta" is sigma^2 = beta_t as published; "posterior" keeps the noise level right when
        steps are skipped, where "beta" leaves too much of it (DDIM, arXiv 2010.02502, section 5, sigma-hat).
    UsageError for a name or number outside these, and for epsilon prediction with zero terminal SNR.
    """
    abar_of_t = np.asarray(alphas_cumprod, np.float64)
    _check_choices(sampler, prediction_type, eta, ddpm_variance)
    _check_schedule(abar_of_t, prediction_type)
    timesteps = trailing_timesteps(len(abar_of_t), num_inference_steps)
    abar = abar_of_t[timesteps]  # (K,)
    abar_next = np.append(abar[1:], 1.0)  # (K,)
    p, q = _parametrisation(prediction_type, abar)
    if sampler == "ddpm":
        c, d, e, n = _ddpm(abar, abar_next, ddpm_variance)
    elif sampler == "ddim":
        c, d, e, n = _ddim(abar, abar_next, eta)
    else:
        c, d, e, n = _dpmsolver_2m(abar, abar_next)
    return SamplerTable(timesteps, p, q, c, d, e, n)


def sample(
    table: SamplerTable, denoise: Denoise, z: np.ndarray, *, noise_of_step: NoiseOfStep | None = None
) -> np.ndarray:
    """Run the table from z, standard normal noise, to the clean latents; any shape, z's float type is kept.

    denoise(z, t) is called once a step. noise_of_step(k) is called with k = 0..K-1 in steps that draw noise alone;
    the noise that z started from is another draw. UsageError where the table draws noise and there is none.
    """
    if noise_of_step is None and not table.deterministic:
        raise UsageError("this sampler draws noise at each step and got none", where="noise_of_step")
    x0_prev = np.zeros_like(z)
    # Python floats, since a numpy float64 would widen float32 latents
    columns = (column.tolist() for column in (table.timesteps, table.p, table.q, table.c, table.d, table.e, table.n))
    for step, (t, p, q, c, d, e, n) in enumerate(zip(*columns, strict=True)):
        x0 = p * z + q * denoise(z, t)
        z = c * z + d * x0 + e * x0_prev
        if n and noise_of_step is not None:
            z = z + n * noise_of_step(step)
        x0_prev = x0
    return z


def trailing_timesteps(num_train_timesteps: int, num_inference_steps: int) -> np.ndarray:
    """(K,) int64, descending from T - 1, evenly spaced: "trailing" of arXiv 2305.08891, table 2.

    It is the one spacing that starts where the latents really are pure noise. UsageError where K is outside 1..T.
    """
    if not 1 <= num_inference_steps <= num_train_timesteps:
        raise UsageError(
            f"{num_inference_steps} steps are out of range",
            where="num_inference_steps",
            expected=f"1 to {num_train_timesteps}",
        )
    stride = num_train_timesteps / num_inference_steps
    ends = np.arange(num_train_timesteps, 0, -stride)[:num_inference_steps]  # rounding may add one end too many
    timesteps: np.ndarray = np.rint(ends).astype(np.int64) - 1
    return timesteps


def _parametrisation(prediction_type: str, abar: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """p and q of x0 = p * z + q * out."""
    alpha, sigma = np.sqrt(abar), np.sqrt(1 - abar)
    if prediction_type == "epsilon":
        return 1 / alpha, -sigma / alpha  # DDPM, arXiv 2006.11239, equation 15
    if prediction_type == "v_prediction":
        return alpha, -sigma  # arXiv 2202.00512, appendix D
    return np.zeros_like(abar), np.ones_like(abar)


def _ddpm(abar: np.ndarray, abar_next: np.ndarray, variance: str) -> _Update:
    """DDPM, arXiv 2006.11239, equation 7 and algorithm 2, with alpha_t = abar / abar_next where steps are skipped."""
    alpha_t = abar / abar_next
    beta_t = 1 - alpha_t
    c = np.sqrt(alpha_t) * (1 - abar_next) / (1 - abar)
    d = np.sqrt(abar_next) * beta_t / (1 - abar)
    # section 3.2 names both: sigma^2 = beta_t, or beta-tilde_t of equation 7
    n = np.sqrt(beta_t if variance == "beta" else beta_t * (1 - abar_next) / (1 - abar))
    n[-1] = 0  # algorithm 2, line 3: the last step draws none
    return c, d, np.zeros_like(c), n


def _ddim(abar: np.ndarray, abar_next: np.ndarray, eta: float) -> _Update:
    """DDIM, arXiv 2010.02502, equations 12 and 16, with the predicted noise written as (z - alpha * x0) / sigma."""
    n = eta * np.sqrt((1 - abar_next) / (1 - abar) * (1 - abar / abar_next))
    c = np.sqrt(1 - abar_next - n**2) / np.sqrt(1 - abar)
    d = np.sqrt(abar_next) - np.sqrt(abar) * c
    return c, d, np.zeros_like(c), n


def _dpmsolver_2m(abar: np.ndarray, abar_next: np.ndarray) -> _Update:
    """DPM-Solver++ 2M, arXiv 2211.01095, algorithm 2; lambda = log(alpha / sigma), h its growth in a step.

    The paper's -alpha_next * (exp(-h) - 1) equals alpha_next - alpha * sigma_next / sigma, which stays finite where
    lambda does not: with zero terminal SNR the first h is infinite, so 1 / (2 * r) of the second step is 0. (diffusers
    sets that last alphas_cumprod to 2^-24 instead; passing such a schedule gives its numbers.)
    """
    with np.errstate(divide="ignore"):
        h = 0.5 * (np.log(abar_next) - np.log1p(-abar_next) - np.log(abar) + np.log1p(-abar))
    extrapolation = np.zeros_like(h)  # 1 / (2 * r), r = h of the step before / h; first and last step: first order
    extrapolation[1:-1] = 0.5 * h[1:-1] / h[:-2]
    c = np.sqrt((1 - abar_next) / (1 - abar))
    d = np.sqrt(abar_next) - np.sqrt(abar) * c
    return c, d * (1 + extrapolation), -d * extrapolation, np.zeros_like(c)


def _check_choices(sampler: str, prediction_type: str, eta: float, ddpm_variance: str) -> None:
    for value, where, known in (
        (sampler, "sampler", SAMPLERS),
        (prediction_type, "prediction_type", PREDICTION_TYPES),
        (ddpm_variance, "ddpm_variance", DDPM_VARIANCES),
    ):
        if value not in known:
            raise UsageError(f"no such value: {value}", where=where, expected=", ".join(known))
    if not 0 <= eta <= (1 if sampler == "ddim" else 0):
        raise UsageError(f"{eta} with {sampler}", where="eta", expected="0, or up to 1 with ddim")


def _check_schedule(abar: np.ndarray, prediction_type: str) -> None:
    falling = abar.ndim == 1 and abar.size > 0 and abar[0] < 1 and abar[-1] >= 0 and bool(np.all(np.diff(abar) < 0))
    if not falling:
        raise UsageError("not a noise schedule", where="alphas_cumprod", expected="values falling from below 1 to >= 0")
    if prediction_type == "epsilon" and abar[-1] == 0:
        raise UsageError(  # arXiv 2305.08891, section 3.1: pure noise says nothing of x0 through its own noise
            "epsilon prediction cannot start at zero terminal SNR",
            where="prediction_type",
            expected="v_prediction or sample, or a schedule without rescale_betas_zero_snr",
        )
