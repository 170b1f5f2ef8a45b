"""Beta schedules and their zero-terminal-SNR rescaling."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sr.diffusion.schedule import (
    alphas_cumprod,
    cosine_betas,
    linear_betas,
    make_alphas_cumprod,
    rescale_zero_terminal_snr,
)
from edge_sr.errors import UsageError


def test_linear_is_the_published_schedule() -> None:
    betas = linear_betas()
    assert betas.shape == (300,)
    assert (betas[0], betas[-1]) == (1e-4, 0.02)
    assert np.sqrt(alphas_cumprod(betas)[-1]) == pytest.approx(0.219, abs=5e-4)  # so pure noise is off the training


def test_cosine_follows_its_formula() -> None:
    betas = cosine_betas(100)
    signal = np.cos((np.arange(101) / 100 + 0.008) / 1.008 * np.pi / 2) ** 2
    np.testing.assert_allclose(alphas_cumprod(betas)[:-1], (signal / signal[0])[1:-1], rtol=1e-9)
    assert betas[-1] == 0.999


@pytest.mark.parametrize("betas", [linear_betas(), cosine_betas(300), linear_betas(2)])
def test_rescaling_ends_in_exactly_no_signal(betas: np.ndarray) -> None:
    before, after = alphas_cumprod(betas), alphas_cumprod(rescale_zero_terminal_snr(betas))
    assert after[-1] == 0
    assert after[0] == pytest.approx(before[0], rel=1e-12)
    assert np.all(np.diff(after) < 0)


def test_rescaling_is_linear_in_the_square_root() -> None:
    before = np.sqrt(alphas_cumprod(linear_betas()))
    after = np.sqrt(alphas_cumprod(rescale_zero_terminal_snr(linear_betas())))
    stretch = before[0] / (before[0] - before[-1])
    np.testing.assert_allclose(after, (before - before[-1]) * stretch, atol=1e-9)


def test_manifest_fields_choose_the_schedule() -> None:
    plain = make_alphas_cumprod("linear", 300, rescale_betas_zero_snr=False)
    rescaled = make_alphas_cumprod("cosine", 50, rescale_betas_zero_snr=True)
    np.testing.assert_array_equal(plain, alphas_cumprod(linear_betas()))
    np.testing.assert_array_equal(rescaled, alphas_cumprod(rescale_zero_terminal_snr(cosine_betas(50))))


def test_everything_is_float64() -> None:
    assert alphas_cumprod(linear_betas().astype(np.float32)).dtype == np.float64
    assert make_alphas_cumprod("cosine", 10, rescale_betas_zero_snr=True).dtype == np.float64


@pytest.mark.parametrize(
    ("schedule", "length", "start", "end", "rescale"),
    [
        ("sigmoid", 300, 1e-4, 0.02, False),
        ("linear", 0, 1e-4, 0.02, False),
        ("cosine", -1, 1e-4, 0.02, False),
        ("linear", 300, 0.02, 1e-4, False),
        ("linear", 300, 0.0, 0.02, False),
        ("linear", 300, 1e-4, 1.0, False),
        ("linear", 1, 1e-4, 0.02, True),
    ],
)
def test_impossible_fields_are_refused(schedule: str, length: int, start: float, end: float, rescale: bool) -> None:
    with pytest.raises(UsageError):
        make_alphas_cumprod(schedule, length, rescale_betas_zero_snr=rescale, beta_start=start, beta_end=end)
