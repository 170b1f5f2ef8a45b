from __future__ import annotations

import numpy as np
import pytest

from edge_sr.backends.base import FakeSession
from edge_sr.image.phantom import chest_phantom
from edge_sr.tensors import TensorSpec
from host_training.data.protocol import lr_of
from host_training.evaluation.pictures import PictureSet
from host_training.evaluation.scores import PSNR_OF_EQUAL_DB, produced, score, score_all, spread_all

HR = np.stack([chest_phantom(256, seed=seed) for seed in (0, 1)])
PICTURES = PictureSet("toy", ("a", "b"), ("A", "B"), HR, lr_of(HR), "")


def fake_lpips() -> FakeSession:
    specs = [TensorSpec(name, (1, 3, "H", "W"), "float32") for name in ("ref", "dist")]
    return FakeSession(specs, [], lambda feeds: {"score": np.abs(feeds["ref"] - feeds["dist"]).mean(keepdims=True)})


def test_a_picture_against_itself() -> None:
    figures = score(HR[0], HR[0], PICTURES.lr[0], lpips_session=fake_lpips())
    assert figures["psnr_db"] == PSNR_OF_EQUAL_DB  # not inf, which JSON has not
    assert (figures["ssim"], figures["lpips"]) == pytest.approx((1.0, 0.0))
    assert figures["lr_rmse"] < 0.5  # of rounding LR


def test_a_worse_picture_scores_worse_by_every_metric() -> None:
    far = np.roll(HR[0], 3, axis=1)
    near, worse = (score(sr, HR[0], PICTURES.lr[0], lpips_session=fake_lpips()) for sr in (np.roll(HR[0], 1, 1), far))
    assert all(worse[name] < near[name] for name in ("psnr_db", "ssim", "haarpsi_med"))
    assert all(worse[name] > near[name] for name in ("lpips", "lr_rmse"))


def test_without_its_network_there_is_no_lpips() -> None:
    assert "lpips" not in score_all(HR, PICTURES, None)
    assert score_all(HR, PICTURES, fake_lpips())["lpips"].shape == (2,)


def test_what_is_produced_is_eight_bit_and_in_order() -> None:
    np.testing.assert_array_equal(produced(lambda batch: batch.hr, PICTURES), HR)


def test_seeds_that_agree_have_no_spread_and_others_have() -> None:
    same = spread_all([lambda batch: 0.9 * batch.hr] * 2, PICTURES)
    rng = np.random.default_rng(0)
    noisy = [lambda batch: batch.hr + rng.normal(0, 0.05, batch.hr.shape).astype(np.float32)] * 8
    assert same["variance_over_error"].tolist() == [0.0, 0.0]
    assert (spread_all(noisy, PICTURES)["variance_over_error"] > 4).all()  # HR is their centre, not one of them
