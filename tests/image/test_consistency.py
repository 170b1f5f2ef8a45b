from __future__ import annotations

import numpy as np
import pytest

from edge_sr.image.bicubic import upsample_bicubic
from edge_sr.image.consistency import area_mean, lr_rmse, project, rmse_of, squared_error
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.radiograph import from_unit, to_unit


def _pair(seed: int, spread: float = 0.3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A truth with clipped blacks and whites, its block means, and a bad guess at it; all in [0, 1]."""
    rng = np.random.default_rng(seed)
    truth = np.clip(rng.normal(rng.random(), 0.4, (2, 1, 64, 48)), 0, 1).astype(np.float32)
    guess = np.clip(truth + rng.normal(0.1, spread, truth.shape), 0, 1).astype(np.float32)
    return truth, area_mean(truth), guess


def test_area_mean_is_the_mean_of_each_block() -> None:
    sr = np.arange(2 * 8 * 8, dtype=np.float32).reshape(2, 1, 8, 8)
    assert area_mean(sr).shape == (2, 1, 2, 2) and area_mean(sr).dtype == np.float32
    assert area_mean(sr)[1, 0, 1, 0] == sr[1, 0, 4:8, 0:4].mean()


@pytest.mark.parametrize("seed", range(10))
def test_two_rounds_leave_a_tiny_residual_and_stay_in_range(seed: int) -> None:
    _, lr, guess = _pair(seed)
    projected = project(guess, lr)
    assert projected.dtype == np.float32 and projected.min() >= 0 and projected.max() <= 1
    rmse = np.sqrt(np.mean((area_mean(projected) - lr) ** 2)) * 255
    before = np.sqrt(np.mean((area_mean(guess) - lr) ** 2)) * 255
    assert rmse < 1.0 < 5.0 < before


@pytest.mark.parametrize("seed", range(10))
def test_each_round_brings_the_means_closer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sr, lr = rng.random((1, 1, 64, 64), np.float32), rng.random((1, 1, 16, 16), np.float32)
    errors = [np.abs(area_mean(project(sr, lr, rounds=rounds)) - lr).max() for rounds in (0, 1, 2, 3, 12)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-5


@pytest.mark.parametrize("rounds", [1, 2, 3])
@pytest.mark.parametrize("seed", range(10))
def test_it_never_moves_away_from_a_truth_with_these_means(seed: int, rounds: int) -> None:
    truth, lr, guess = _pair(seed)
    before = np.sum((guess - truth).astype(np.float64) ** 2)
    after = np.sum((project(guess, lr, rounds=rounds) - truth).astype(np.float64) ** 2)
    assert after <= before * (1 + 1e-6)


def test_a_consistent_picture_is_left_alone() -> None:
    truth, lr, _ = _pair(3)
    np.testing.assert_allclose(project(truth, lr), truth, atol=1e-6)


def test_the_second_round_moves_only_free_pixels() -> None:
    sr = np.full((1, 1, 4, 4), 0.9, np.float32)
    sr[..., 0, :] = 0.0
    projected = project(sr, np.full((1, 1, 1, 1), 0.95, np.float32))  # the first round clips 12 pixels at 1
    np.testing.assert_array_equal(projected[..., 1:, :], 1.0)
    np.testing.assert_allclose(projected[..., 0, :], 0.8, atol=1e-6)


def test_the_argument_is_not_written_to() -> None:
    _, lr, guess = _pair(0)
    kept = guess.copy()
    project(guess, lr)
    np.testing.assert_array_equal(guess, kept)


def test_a_view_of_a_larger_picture_is_projected_as_its_copy() -> None:
    _, lr, guess = _pair(0)
    wider = np.pad(guess, ((0, 0), (0, 0), (0, 4), (0, 8)))
    np.testing.assert_array_equal(project(wider[:, :, :64, :48], lr), project(guess, lr))


@pytest.mark.parametrize("bit_depth", [8, 16])
def test_bicubic_of_a_phantom_agrees_with_its_input_once_projected(bit_depth: int) -> None:
    hr = chest_phantom(256, bit_depth=bit_depth)
    lr_pixels = from_unit(area_mean(to_unit(hr)), bit_depth)
    lr = to_unit(lr_pixels)
    plain, projected = (from_unit(sr, bit_depth) for sr in (upsample_bicubic(lr), project(upsample_bicubic(lr), lr)))
    assert lr_rmse(projected, lr_pixels) < 0.15 < lr_rmse(plain, lr_pixels)


def test_lr_rmse_counts_in_grey_levels_of_255() -> None:
    lr = np.full((8, 8), 10, np.uint8)
    assert lr_rmse(np.full((32, 32), 12, np.uint8), lr) == pytest.approx(2.0)
    assert lr_rmse(np.full((32, 32), 12 * 257, np.uint16), lr * np.uint16(257)) == pytest.approx(2.0)


def test_lr_rmse_of_a_picture_is_that_of_its_rows() -> None:
    random = np.random.default_rng(0)
    sr, lr = random.integers(0, 256, (404, 160), np.uint8), random.integers(0, 256, (101, 40), np.uint8)
    squares = sum(squared_error(sr[4 * top : 4 * top + 28], lr[top : top + 7]) for top in range(0, 101, 7))
    assert rmse_of(squares, lr) == lr_rmse(sr, lr)
