from __future__ import annotations

import numpy as np
import pytest

from host_training.evaluation.statistics import (
    calibrated_ratio,
    rank_correlation,
    spread_error_correlation,
    variance_over_error,
)


def test_variance_over_error_by_hand() -> None:
    samples = np.array([[[1.0, 4.0]], [[3.0, 4.0]]])  # means 2 and 4, unbiased variances 2 and 0
    assert variance_over_error(samples, np.array([[0.0, 4.0]])) == pytest.approx((2 + 0) / (4 + 0))


def test_a_model_that_ignores_its_seed_has_no_variance() -> None:
    assert variance_over_error(np.ones((8, 4, 4), np.uint8), np.zeros((4, 4), np.uint8)) == 0.0


def test_a_calibrated_model_has_the_stated_ratio() -> None:
    rng = np.random.default_rng(0)
    samples, hr = rng.normal(100, 9, (8, 300, 300)), rng.normal(100, 9, (300, 300))  # one posterior for all nine
    assert variance_over_error(samples, hr) == pytest.approx(calibrated_ratio(8), rel=0.02)


def test_bytes_do_not_wrap() -> None:
    samples, hr = np.full((2, 2, 2), 10, np.uint8), np.full((2, 2), 250, np.uint8)
    samples[0] += 2
    assert variance_over_error(samples, hr) == pytest.approx(2 / 239**2)


def test_rank_correlation_sees_order_alone() -> None:
    values = np.random.default_rng(0).uniform(0, 1, (16, 16))
    assert rank_correlation(values, np.exp(9 * values)) == pytest.approx(1.0)
    assert rank_correlation(values, -values) == pytest.approx(-1.0)


def test_ties_share_their_mean_rank() -> None:
    # ranks 1.5 1.5 3 against 1 2 3: covariance 1.5, squares 1.5 and 2
    assert rank_correlation(np.array([5, 5, 9]), np.array([1, 2, 3])) == pytest.approx(1.5 / np.sqrt(1.5 * 2))


def test_rank_correlation_of_a_constant_is_zero() -> None:
    assert rank_correlation(np.zeros(5), np.arange(5.0)) == 0.0


def test_spread_that_follows_the_error_correlates() -> None:
    rng = np.random.default_rng(0)
    deviation = np.linspace(1, 20, 4096).reshape(64, 64)
    samples, hr = rng.normal(0, deviation, (8, 64, 64)), rng.normal(0, deviation)
    assert spread_error_correlation(samples, hr) > 0.3
    assert abs(spread_error_correlation(samples, rng.permuted(hr.ravel()).reshape(64, 64))) < 0.1
