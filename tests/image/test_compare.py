from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_sr.image.compare import GAP, before_after

LR = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
SR = np.random.default_rng(1).integers(0, 256, (256, 256), np.uint8)


def test_three_panels_stand_side_by_side_at_twice_their_size() -> None:
    picture = before_after(LR, SR)
    assert picture.shape[1] == 3 * 512 + 2 * GAP
    enlarged = SR.repeat(2, axis=0).repeat(2, axis=1)
    caption = next(row for row in range(256) if np.array_equal(picture[row : row + 512, -512:], enlarged))
    first, second = picture[caption : caption + 512, :512], picture[caption : caption + 512, 512 + GAP : 1024 + GAP]
    np.testing.assert_array_equal(first[::8, ::8], LR)
    bicubic = np.clip(cv2.resize(LR.astype(float), (256, 256), interpolation=2), 0, 255)
    np.testing.assert_allclose(second[::2, ::2], bicubic, atol=1)


def test_captions_and_notice_are_drawn() -> None:
    picture = before_after(LR, SR)
    assert (picture[:20] < 128).any(axis=0).sum() > 100
    assert (picture[-20:] < 128).any(axis=0).sum() > 50


@pytest.mark.parametrize("side", [8, 300])
def test_sizes_that_are_not_64(side: int) -> None:
    lr = np.zeros((side, side + 1), np.uint8)
    picture = before_after(lr, np.zeros((side * 4, (side + 1) * 4), np.uint8))
    assert picture.shape[1] >= 3 * 512


def test_sixteen_bits_show_their_upper_eight() -> None:
    deep = before_after(LR.astype(np.uint16) * 257, SR.astype(np.uint16) * 257)
    np.testing.assert_array_equal(deep, before_after(LR, SR))


def test_colour_is_shown_as_luma() -> None:
    np.testing.assert_array_equal(before_after(LR, np.dstack([SR] * 3)), before_after(LR, SR))
