"""edge_sr/demo/desk.py: truths, scores, and pictures made smaller first."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sr.demo.declined import Declined
from edge_sr.demo.desk import Picture, bicubic, reduced, scores, with_truth
from edge_sr.image.radiograph import Radiograph


def grey(height: int, width: int, bits: int = 8) -> Radiograph:
    levels = np.random.default_rng(0).integers(0, 1 << bits, (height, width))
    return Radiograph(levels.astype(f"uint{bits}"), bits, "0" * 64, "a note")


def test_a_picture_made_smaller_has_its_block_means_and_itself_as_the_truth() -> None:
    source = grey(67, 45)
    picture = reduced(source, 4)
    assert picture.lr.pixels.shape == (16, 11) and picture.truth is not None and picture.truth.shape == (64, 44)
    assert picture.lr.pixels[0, 0] == np.rint(source.pixels[:4, :4].mean())
    assert picture.lr.note == "a note, reduced to its 4x4 means first"


def test_one_that_is_too_small_for_that_is_declined() -> None:
    with pytest.raises(Declined, match="too small") as caught:
        reduced(grey(31, 64), 4)
    assert caught.value.expected == "sides of at least 32"


def test_a_truth_of_another_size_is_declined() -> None:
    with pytest.raises(Declined, match="60x64 pixels") as caught:
        with_truth(Picture(grey(16, 16)), grey(64, 60), 4)
    assert caught.value.expected == "64x64, 4 times the picture's"


def test_a_truth_of_another_depth_is_brought_to_that_of_the_picture() -> None:
    truth = grey(64, 64, bits=16)
    better = with_truth(Picture(grey(16, 16)), truth, 4)
    assert better.truth is not None and better.truth.dtype == np.uint8
    assert np.abs(better.truth / 255 - truth.pixels / 65535).max() < 1 / 255


def test_scores_tell_how_near_each_picture_is() -> None:
    truth = grey(64, 64).pixels
    rows = scores(truth, {"result": truth, "bicubic": np.zeros_like(truth)})
    result, interpolated = rows["result"], rows["bicubic"]
    assert isinstance(result, dict) and isinstance(interpolated, dict)
    assert result == {"psnr_db": None, "ssim": 1.0, "haarpsi": 1.0} and rows["whole"] is True
    assert interpolated["psnr_db"] < 10 and interpolated["ssim"] < 0.1


def test_scores_do_not_depend_on_the_depth() -> None:
    truth, other = grey(64, 64).pixels, np.roll(grey(64, 64).pixels, 1)
    wide = [each.astype(np.uint16) * 257 for each in (truth, other)]
    assert scores(truth, {"result": other}) == scores(wide[0], {"result": wide[1]})


def test_of_a_large_picture_the_middle_is_scored() -> None:
    truth = grey(1200, 64).pixels
    broken = truth.copy()
    broken[:80] = 255 - broken[:80]  # outside the middle 1024
    rows = scores(truth, {"result": broken})
    assert rows["pixels"] == [64, 1024] and rows["whole"] is False and rows["result"]["psnr_db"] is None  # type: ignore[index]


def test_bicubic_keeps_the_depth() -> None:
    assert bicubic(Picture(grey(8, 9, bits=16)), 4).dtype == np.uint16
    assert bicubic(Picture(grey(8, 9)), 4).shape == (32, 36)
