"""Whole trajectories against diffusers' schedulers, with one fixed nonlinear function in the network's place."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sr.diffusion.samplers import sample, sampler_table
from edge_sr.diffusion.schedule import cosine_betas, linear_betas, make_alphas_cumprod, rescale_zero_terminal_snr

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

SHAPE = (1, 4, 8, 8)
CASES = [(False, "epsilon"), (False, "v_prediction"), (False, "sample"), (True, "v_prediction"), (True, "sample")]
DPM_CLAMP = 2.0**-24  # diffusers' DPM-Solver++ puts this where zero terminal SNR has 0


def denoise(z: np.ndarray, t: int) -> np.ndarray:
    place = np.arange(z.size).reshape(z.shape) / z.size
    out: np.ndarray = np.tanh(0.9 * z + np.sin(t / 37 + 6 * place)) + 0.3 * np.cos(2 * z)
    return out


def start() -> np.ndarray:
    return np.random.default_rng(0).normal(size=SHAPE)


def cumprod(zero_snr: bool) -> np.ndarray:
    return make_alphas_cumprod("linear", 300, rescale_betas_zero_snr=zero_snr)


def scheduler(name: str, abar: np.ndarray, steps: int, prediction_type: str, **options: object) -> object:
    made = getattr(diffusers, name)(
        num_train_timesteps=300, prediction_type=prediction_type, timestep_spacing="trailing", **options
    )
    made.alphas_cumprod = torch.from_numpy(abar)  # its own is float32, 4e-5 off after 300 steps
    made.set_timesteps(steps)
    return made


def their_trajectory(made: object, **step_options: object) -> tuple[list[np.ndarray], np.ndarray | None]:
    """z at every step and after the last, and the last predicted x0 where the scheduler tells it."""
    z, outcome = start(), None
    trajectory = [z]
    for t in made.timesteps:  # type: ignore[attr-defined]
        out = torch.from_numpy(denoise(z, int(t)))
        outcome = made.step(out, int(t), torch.from_numpy(z), **step_options)  # type: ignore[attr-defined]
        z = outcome.prev_sample.numpy()
        trajectory.append(z)
    x0 = outcome.get("pred_original_sample") if outcome is not None else None
    return trajectory, None if x0 is None else x0.numpy()


def our_trajectory(table: object, noise_of_step: object = None) -> list[np.ndarray]:
    trajectory = []

    def watched(z: np.ndarray, t: int) -> np.ndarray:
        trajectory.append(z)
        return denoise(z, t)

    last = sample(table, watched, start(), noise_of_step=noise_of_step)  # type: ignore[arg-type]
    return [*trajectory, last]


def assert_same(ours: list[np.ndarray], theirs: list[np.ndarray], tolerance: float) -> None:
    assert len(ours) == len(theirs)
    scale = max(np.abs(z).max() for z in theirs)
    assert max(np.abs(a - b).max() for a, b in zip(ours, theirs, strict=True)) <= tolerance * scale


def torch_noise(steps: int) -> list[np.ndarray]:
    """What a scheduler with a generator of seed 1 draws, step by step."""
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(SHAPE, generator=generator, dtype=torch.float64).numpy() for _ in range(steps)]


@pytest.mark.parametrize("variance", ["beta", "posterior"])
@pytest.mark.parametrize("steps", [1, 2, 4, 20, 25, 300])
@pytest.mark.parametrize(("zero_snr", "prediction_type"), CASES)
def test_ddpm(zero_snr: bool, prediction_type: str, steps: int, variance: str) -> None:
    abar = cumprod(zero_snr)
    name = {"beta": "fixed_large", "posterior": "fixed_small"}[variance]
    made = scheduler("DDPMScheduler", abar, steps, prediction_type, variance_type=name, clip_sample=False)
    theirs, x0 = their_trajectory(made, generator=torch.Generator().manual_seed(1))
    assert x0 is not None
    theirs[-1] = x0  # with steps skipped it adds noise after the last one too; algorithm 2 does not
    table = sampler_table(
        "ddpm", abar, num_inference_steps=steps, prediction_type=prediction_type, ddpm_variance=variance
    )
    assert_same(our_trajectory(table, torch_noise(steps).__getitem__), theirs, 1e-10)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 4, 20, 25, 300])
@pytest.mark.parametrize(("zero_snr", "prediction_type"), CASES)
def test_ddim(zero_snr: bool, prediction_type: str, steps: int, eta: float) -> None:
    abar = cumprod(zero_snr)
    made = scheduler("DDIMScheduler", abar, steps, prediction_type, clip_sample=False)
    theirs, _ = their_trajectory(made, eta=eta, generator=torch.Generator().manual_seed(1))
    table = sampler_table("ddim", abar, num_inference_steps=steps, prediction_type=prediction_type, eta=eta)
    assert_same(our_trajectory(table, torch_noise(steps).__getitem__), theirs, 1e-10)


@pytest.mark.parametrize("steps", [1, 2, 4, 20, 25])
@pytest.mark.parametrize(("zero_snr", "prediction_type"), CASES)
def test_dpmsolver(zero_snr: bool, prediction_type: str, steps: int) -> None:
    abar = np.maximum(cumprod(zero_snr), DPM_CLAMP)
    options = {"algorithm_type": "dpmsolver++", "solver_order": 2, "solver_type": "midpoint"}
    made = scheduler("DPMSolverMultistepScheduler", abar, steps, prediction_type, **options)
    theirs, _ = their_trajectory(made)
    table = sampler_table("dpmsolver++", abar, num_inference_steps=steps, prediction_type=prediction_type)
    assert_same(our_trajectory(table), theirs, 1e-5)


@pytest.mark.parametrize("name", ["linear", "squaredcos_cap_v2"])
@pytest.mark.parametrize("zero_snr", [False, True])
def test_schedules(name: str, zero_snr: bool) -> None:
    made = diffusers.DDIMScheduler(num_train_timesteps=300, beta_schedule=name, rescale_betas_zero_snr=zero_snr)
    betas = linear_betas(300) if name == "linear" else cosine_betas(300)
    ours = rescale_zero_terminal_snr(betas) if zero_snr else betas
    np.testing.assert_allclose(made.betas.numpy(), ours, atol=2e-5)  # its own are float32
