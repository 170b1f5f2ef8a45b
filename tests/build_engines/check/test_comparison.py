"""What is measured of a candidate, on models whose error is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from build_engines.check.comparison import LARGEST_PSNR_DB, against_truth, decibels, end_to_end, ratio_db
from calibration.images import CalibrationImages
from edge_sr.diffusion.noise import noise_field
from edge_sr.errors import UsageError
from edge_sr.image.consistency import area_mean
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.quality import haarpsi, psnr, ssim
from edge_sr.image.radiograph import from_unit, to_unit
from tests.build_engines.sr_models import Enlarger, pictures

PICTURES = pictures(3, tile=16)


def checkered(size: float) -> Enlarger:
    """Adds and takes away ``size`` in turn, which shifts no mean."""
    return Enlarger(lambda sr: sr + np.float32(size) * (1 - 2 * (np.indices(sr.shape[2:]).sum(0) % 2)), noise_side=4)


def test_psnr_is_of_all_pixels_of_all_pictures() -> None:
    rows = end_to_end(Enlarger(noise_side=4), checkered(0.01), PICTURES)
    assert [row.fidelity for row in rows] == [1.0, 0.5, 0.0]
    for row in rows:
        assert row.pictures == 3 and row.finite and not row.constant
        assert row.psnr_db == pytest.approx(40, abs=1e-3) == row.worst_psnr_db
        assert row.mean_shift < 1e-3


def test_the_picture_that_fares_worst_is_named() -> None:
    def spoil(sr: np.ndarray) -> np.ndarray:
        return sr + np.float32(0.1) if np.array_equal(area_mean(sr), PICTURES.lr[1:2]) else sr

    (row,) = end_to_end(Enlarger(), Enlarger(spoil), PICTURES)
    assert row.worst_picture == 1
    assert row.worst_psnr_db == pytest.approx(20, abs=1e-3)
    assert row.psnr_db == pytest.approx(20 + 10 * math.log10(3), abs=1e-3)
    assert row.mean_shift == pytest.approx(25.5, abs=1e-3)


def test_equal_models_have_the_largest_figure() -> None:
    (row,) = end_to_end(Enlarger(), Enlarger(), PICTURES)
    assert (row.psnr_db, row.worst_psnr_db, row.mean_shift) == (LARGEST_PSNR_DB, LARGEST_PSNR_DB, 0.0)


def test_a_model_without_noise_has_one_row() -> None:
    assert [row.fidelity for row in end_to_end(Enlarger(), Enlarger(), PICTURES)] == [1.0]


def test_both_get_the_noise_of_the_picture_and_none_at_fidelity_1() -> None:
    models = Enlarger(noise_side=4, later=2), Enlarger(noise_side=4, later=2)
    assert all(row.psnr_db == LARGEST_PSNR_DB for row in end_to_end(*models, PICTURES))
    for model in models:
        assert model.calls == [(1.0, False)] * 3 + [(0.5, True)] * 3 + [(0.0, True)] * 3


def test_the_noise_of_a_step_is_that_of_the_pipeline() -> None:
    seen: list[np.ndarray] = []

    class Listening(Enlarger):
        def __call__(self, lr, *, noise, fidelity, noise_of_step=None):  # type: ignore[no-untyped-def]
            seen.append(noise_of_step(0))
            return super().__call__(lr, noise=noise, fidelity=fidelity)

    end_to_end(Enlarger(noise_side=4), Listening(noise_side=4), pictures(1, tile=16), fidelities=(0.0,))
    seed = pictures(1, tile=16).noise_seeds[0]
    np.testing.assert_array_equal(seen[0], noise_field(seed, (1, 4, 4), step=1))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_inf_are_told(bad: float) -> None:
    (row,) = end_to_end(Enlarger(), Enlarger(lambda sr: np.where(sr == sr.max(), bad, sr)), PICTURES)
    assert not row.finite and row.psnr_db == 0 and math.isfinite(row.mean_shift)


def test_a_flat_picture_is_told_where_the_reference_is_not() -> None:
    flat = CalibrationImages.of(np.full((1, 1, 16, 16), 0.5, np.float32))
    mean = Enlarger(lambda sr: np.full_like(sr, sr.mean()))
    assert end_to_end(Enlarger(), mean, PICTURES)[0].constant
    assert not end_to_end(Enlarger(), mean, flat)[0].constant


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(UsageError, match="not asked the same"):
        end_to_end(Enlarger(), Enlarger(noise_side=4), PICTURES)
    with pytest.raises(UsageError, match=r"a picture of \(1, 1, 64, 32\)"):
        end_to_end(Enlarger(), Enlarger(lambda sr: sr[..., ::2]), PICTURES)
    none = CalibrationImages(PICTURES.lr[:0], "", ())
    with pytest.raises(UsageError, match="no picture to check with"):
        end_to_end(Enlarger(), Enlarger(), none)


@pytest.mark.parametrize(("mean_square", "db"), [(1e-4, 40), (0.0, 150), (1e-30, 150), (3.0, 0), (math.nan, 0)])
def test_decibels(mean_square: float, db: float) -> None:
    assert decibels(mean_square) == pytest.approx(db)


@pytest.mark.parametrize(
    ("signal", "noise", "db"), [(100, 1, 20), (1, 0, 150), (0, 1, -150), (1, math.nan, -150), (math.inf, 1, -150)]
)
def test_ratios(signal: float, noise: float, db: float) -> None:
    assert ratio_db(signal, noise) == pytest.approx(db)


def test_scores_against_the_truth_are_those_of_8_bit_pictures() -> None:
    hr = np.concatenate([to_unit(chest_phantom(64, seed=n)) for n in (0, 1)])
    (row,) = against_truth(Enlarger(), checkered(0.02), hr, fidelities=(1.0,))
    lr = [to_unit(from_unit(area_mean(each[None]), 8)) for each in hr]
    expected = [from_unit(Enlarger()(each, noise=None, fidelity=1.0), 8) for each in lr]
    truth = [from_unit(each[None], 8) for each in hr]
    for measure, function in (("psnr_db", psnr), ("ssim", ssim), ("haarpsi_med", haarpsi)):
        mean = np.mean([function(a, b) for a, b in zip(expected, truth, strict=True)])
        assert row.reference[measure] == pytest.approx(mean)
        assert row.change(measure) < 0
