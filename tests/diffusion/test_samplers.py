"""Sampler tables: what must hold whatever the network says, and what must be refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edge_sr.diffusion.samplers import SAMPLERS, SamplerTable, sample, sampler_table, trailing_timesteps
from edge_sr.diffusion.schedule import make_alphas_cumprod
from edge_sr.errors import UsageError

PLAIN = make_alphas_cumprod("linear", 300, rescale_betas_zero_snr=False)
ZERO_SNR = make_alphas_cumprod("linear", 300, rescale_betas_zero_snr=True)
CASES = [
    (PLAIN, "epsilon"),
    (PLAIN, "v_prediction"),
    (PLAIN, "sample"),
    (ZERO_SNR, "v_prediction"),
    (ZERO_SNR, "sample"),
]


def latents(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(1, 4, 8, 8))


def oracle(x0: np.ndarray, abar: np.ndarray, prediction_type: str) -> Callable[[np.ndarray, int], np.ndarray]:
    """A denoiser that knows the answer and tells it in its parametrisation."""

    def denoise(z: np.ndarray, t: int) -> np.ndarray:
        alpha, sigma = np.sqrt(abar[t]), np.sqrt(1 - abar[t])
        noise = (z - alpha * x0) / sigma
        answers: dict[str, np.ndarray]
        answers = {"epsilon": noise, "v_prediction": alpha * noise - sigma * x0, "sample": x0}
        return answers[prediction_type]

    return denoise


def levels(table: SamplerTable, abar: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """alphas_cumprod at each step and after it."""
    now = abar[table.timesteps]
    return now, np.append(now[1:], 1.0)


@pytest.mark.parametrize("steps", [1, 2, 4, 25, 300])
@pytest.mark.parametrize(("abar", "prediction_type"), CASES)
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_an_oracle_gets_its_answer_back(sampler: str, abar: np.ndarray, prediction_type: str, steps: int) -> None:
    table = sampler_table(sampler, abar, num_inference_steps=steps, prediction_type=prediction_type)
    x0 = latents(0)
    result = sample(table, oracle(x0, abar, prediction_type), latents(1), noise_of_step=lambda k: latents(2 + k))
    np.testing.assert_allclose(result, x0, atol=1e-9)


@pytest.mark.parametrize("steps", [1, 2, 3, 20, 300])
@pytest.mark.parametrize("abar", [PLAIN, ZERO_SNR])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_each_step_keeps_the_level_of_the_signal(sampler: str, abar: np.ndarray, steps: int) -> None:
    table = sampler_table(sampler, abar, num_inference_steps=steps, prediction_type="sample")
    now, after = levels(table, abar)
    np.testing.assert_allclose(table.c * np.sqrt(now) + table.d + table.e, np.sqrt(after), atol=1e-12)


@pytest.mark.parametrize("abar", [PLAIN, ZERO_SNR])
@pytest.mark.parametrize(
    ("sampler", "eta", "variance"),
    [("ddim", 0.0, "beta"), ("ddim", 0.5, "beta"), ("dpmsolver++", 0.0, "beta"), ("ddpm", 0.0, "posterior")],
)
def test_each_step_keeps_the_level_of_the_noise(sampler: str, eta: float, variance: str, abar: np.ndarray) -> None:
    table = sampler_table(
        sampler, abar, num_inference_steps=20, prediction_type="sample", eta=eta, ddpm_variance=variance
    )
    now, after = levels(table, abar)
    np.testing.assert_allclose(table.c**2 * (1 - now) + table.n**2, 1 - after, atol=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 7, 300])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_last_step_is_x0_itself(sampler: str, steps: int) -> None:
    table = sampler_table(sampler, ZERO_SNR, num_inference_steps=steps, prediction_type="v_prediction")
    assert [table.c[-1], table.d[-1], table.e[-1], table.n[-1]] == [0, 1, 0, 0]
    assert table.e[0] == 0


@pytest.mark.parametrize("prediction_type", ["v_prediction", "sample"])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_zero_terminal_snr_gives_finite_tables(sampler: str, prediction_type: str) -> None:
    table = sampler_table(sampler, ZERO_SNR, num_inference_steps=20, prediction_type=prediction_type)
    columns = [table.p, table.q, table.c, table.d, table.e, table.n]
    assert all(np.isfinite(column).all() and column.dtype == np.float64 for column in columns)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_epsilon_with_zero_terminal_snr_is_refused(sampler: str) -> None:
    with pytest.raises(UsageError, match="zero terminal SNR"):
        sampler_table(sampler, ZERO_SNR, num_inference_steps=4, prediction_type="epsilon")


def test_ddpm_noise_is_sqrt_beta_as_published() -> None:
    table = sampler_table("ddpm", PLAIN, num_inference_steps=300, prediction_type="epsilon")
    betas = np.linspace(1e-4, 0.02, 300)
    np.testing.assert_allclose(table.n[:-1], np.sqrt(betas[:0:-1]), rtol=1e-9)
    assert not table.deterministic


def test_ddim_with_eta_one_is_ddpm() -> None:  # DDIM, arXiv 2010.02502, section 4.1
    ddim = sampler_table("ddim", PLAIN, num_inference_steps=20, prediction_type="epsilon", eta=1.0)
    ddpm = sampler_table("ddpm", PLAIN, num_inference_steps=20, prediction_type="epsilon", ddpm_variance="posterior")
    for column in "cden":
        np.testing.assert_allclose(getattr(ddim, column), getattr(ddpm, column), atol=1e-12)


def test_second_order_comes_nearer_to_the_exact_solution() -> None:
    deviation = 0.5  # of Gaussian clean latents: the best x0 and the exact trajectory are then known in closed form

    def denoise(z: np.ndarray, t: int) -> np.ndarray:
        x0: np.ndarray = np.sqrt(PLAIN[t]) * deviation**2 * z / (PLAIN[t] * deviation**2 + 1 - PLAIN[t])
        return x0

    start = latents(0)
    exact = start * deviation / np.sqrt(PLAIN[-1] * deviation**2 + 1 - PLAIN[-1])
    errors = {}
    for sampler in ("ddim", "dpmsolver++"):
        table = sampler_table(sampler, PLAIN, num_inference_steps=20, prediction_type="sample")
        errors[sampler] = np.abs(sample(table, denoise, start) - exact).max()
    assert errors["dpmsolver++"] < errors["ddim"] / 4


def test_trailing_timesteps_start_at_the_end_and_never_repeat() -> None:
    for steps in range(1, 301):
        timesteps = trailing_timesteps(300, steps)
        assert len(timesteps) == steps
        assert timesteps[0] == 299
        assert timesteps[-1] >= 0
        assert np.all(np.diff(timesteps) < 0)


def test_trailing_timesteps_are_those_of_the_paper() -> None:  # arXiv 2305.08891, table 2, counted from 0
    assert trailing_timesteps(1000, 10).tolist() == [999, 899, 799, 699, 599, 499, 399, 299, 199, 99]


@pytest.mark.parametrize("steps", [0, -1, 301])
def test_steps_out_of_range_are_refused(steps: int) -> None:
    with pytest.raises(UsageError, match="1 to 300"):
        sampler_table("ddim", PLAIN, num_inference_steps=steps, prediction_type="sample")


@pytest.mark.parametrize(
    "wrong",
    [
        {"sampler": "euler"},
        {"prediction_type": "score"},
        {"eta": 1.5},
        {"eta": -0.1},
        {"eta": float("nan")},
        {"sampler": "ddpm", "eta": 0.5},
        {"ddpm_variance": "learned"},
        {"alphas_cumprod": PLAIN[::-1]},
    ],
)
def test_impossible_choices_are_refused(wrong: dict[str, object]) -> None:
    choice: dict[str, object] = {"sampler": "ddim", "alphas_cumprod": PLAIN, "prediction_type": "sample"} | wrong
    with pytest.raises(UsageError):
        sampler_table(num_inference_steps=4, **choice)  # type: ignore[arg-type]


def test_sampling_keeps_float32() -> None:
    table = sampler_table("dpmsolver++", ZERO_SNR, num_inference_steps=4, prediction_type="v_prediction")
    assert sample(table, lambda z, t: np.tanh(z), latents(0).astype(np.float32)).dtype == np.float32


def test_missing_step_noise_is_refused() -> None:
    table = sampler_table("ddpm", PLAIN, num_inference_steps=4, prediction_type="sample")
    with pytest.raises(UsageError, match="draws noise"):
        sample(table, lambda z, t: z, latents(0))


def test_noise_is_asked_for_only_where_it_is_drawn() -> None:
    asked: list[int] = []

    def noise_of_step(step: int) -> np.ndarray:
        asked.append(step)
        return latents(step)

    table = sampler_table("ddpm", PLAIN, num_inference_steps=4, prediction_type="sample")
    sample(table, lambda z, t: z, latents(0), noise_of_step=noise_of_step)
    assert asked == [0, 1, 2]
