from __future__ import annotations

import numpy as np
import pytest

from edge_sr.backends.base import FakeSession
from edge_sr.image.phantom import chest_phantom
from edge_sr.tensors import TensorSpec
from host_training.data.protocol import lr_of
from host_training.evaluation.pictures import PictureSet, Sample, area_pair
from host_training.evaluation.scores import PSNR_OF_EQUAL_DB, energies_of_hr, score, score_row, spread_of

HR = np.stack([chest_phantom(256, seed=seed) for seed in (0, 1)])
LR = lr_of(HR)
PICTURES = PictureSet("toy", "area", ("a", "b"), ("A", "B"), 256, "", "", lambda i, side: area_pair(HR[i], side))


def fake_lpips() -> FakeSession:
    specs = [TensorSpec(name, (1, 3, "H", "W"), "float32") for name in ("ref", "dist")]
    return FakeSession(specs, [], lambda feeds: {"score": np.abs(feeds["ref"] - feeds["dist"]).mean(keepdims=True)})


def test_a_picture_against_itself() -> None:
    figures = score(HR[0], HR[0], LR[0], lpips_session=fake_lpips())
    assert figures["psnr_db"] == PSNR_OF_EQUAL_DB  # not inf, which JSON has not
    assert (figures["ssim"], figures["lpips"]) == pytest.approx((1.0, 0.0))
    assert figures["lr_rmse"] < 0.5  # of rounding LR


def test_a_worse_picture_scores_worse_by_every_metric() -> None:
    far = np.roll(HR[0], 3, axis=1)
    near, worse = (score(sr, HR[0], LR[0], lpips_session=fake_lpips()) for sr in (np.roll(HR[0], 1, 1), far))
    assert all(worse[name] < near[name] for name in ("psnr_db", "ssim", "haarpsi_med"))
    assert all(worse[name] > near[name] for name in ("lpips", "lr_rmse"))


def test_a_row_is_scored_picture_by_picture_in_order() -> None:
    def second_is_true(sample: Sample) -> np.ndarray:
        return sample.hr if (sample.lr == LR[1]).all() else 255 - sample.hr

    scores, energies = score_row(second_is_true, PICTURES, 256, fake_lpips())
    assert scores["psnr_db"][0] < 20
    assert (scores["psnr_db"][1], scores["lpips"].shape) == (PSNR_OF_EQUAL_DB, (2,))
    np.testing.assert_array_equal(energies[1], energies_of_hr(PICTURES, 256)[1])


def test_without_its_network_there_is_no_lpips() -> None:
    assert "lpips" not in score_row(lambda sample: sample.hr, PICTURES, 256, None)[0]


def test_seeds_that_agree_have_no_spread_and_others_have() -> None:
    rng = np.random.default_rng(0)

    def noisy(sample: Sample) -> np.ndarray:
        return np.clip(sample.hr + rng.normal(0, 12, sample.hr.shape), 0, 255).astype(np.uint8)

    same = spread_of([lambda sample: 255 - sample.hr] * 2, PICTURES, 256)
    assert same["variance_over_error"].tolist() == [0.0, 0.0]
    assert (spread_of([noisy] * 8, PICTURES, 256)["variance_over_error"] > 4).all()  # HR is their centre
