from __future__ import annotations

import numpy as np
import pytest

from edge_sr.errors import UsageError
from edge_sr.image.phantom import chest_phantom


@pytest.mark.parametrize("seed", range(4))
def test_lungs_are_dark_and_heart_spine_and_marker_bright(seed: int) -> None:
    picture = chest_phantom(256, seed=seed).astype(float)
    right_lung, left_lung = picture[100:150, 55:85].mean(), picture[90:120, 165:195].mean()
    heart, spine, abdomen = (
        picture[140:160, 150:165].mean(),
        picture[120:160, 122:134].mean(),
        picture[225:245, 60:100].mean(),
    )
    assert max(right_lung, left_lung) < 120 < 150 < min(heart, spine, abdomen)
    assert spine > heart > left_lung + 50
    assert picture[:10, :30].max() < 10  # air beside the neck
    assert picture[14, 231] > 250 and picture[27, 238] > 250 and picture[14, 240] < 50  # a letter L, top right


def test_it_is_the_same_every_time_and_differs_between_seeds() -> None:
    np.testing.assert_array_equal(chest_phantom(64, seed=5), chest_phantom(64, seed=5))
    assert np.mean(chest_phantom(64, seed=5) != chest_phantom(64, seed=6)) > 0.3


def test_both_depths_show_one_picture() -> None:
    eight, sixteen = chest_phantom(128), chest_phantom(128, bit_depth=16)
    assert (eight.dtype, sixteen.dtype) == (np.uint8, np.uint16)
    assert np.abs(sixteen / 257.0 - eight).max() <= 0.51


@pytest.mark.parametrize("size", [32, 64, 100, 512])
def test_any_size_shows_the_same_anatomy(size: int) -> None:
    picture = chest_phantom(size)
    assert picture.shape == (size, size)
    assert abs(picture.mean() - chest_phantom(256).mean()) < 5


def test_it_is_noisy_and_has_fine_structure_to_recover() -> None:
    lung = chest_phantom(256).astype(float)[100:150, 55:85]
    blocks = lung[:48, :28].reshape(12, 4, 7, 4)
    within = (blocks - blocks.mean(axis=(1, 3), keepdims=True)).std()
    assert 2.0 < within < 15.0


def test_impossible_phantoms_are_a_usage_error() -> None:
    for arguments in ({"size": 31}, {"bit_depth": 12}):
        with pytest.raises(UsageError):
            chest_phantom(**arguments)
