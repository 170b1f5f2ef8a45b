"""What augmentation does to a picture, how often, and that the faults of published training code would be seen."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sr.errors import UsageError
from edge_sr.image.phantom import chest_phantom
from host_training.data.augment import AUGMENTATIONS, augmentation, edge, paper, proposal, turns
from host_training.data.protocol import lr_of

SEEDS = st.integers(0, 2**32 - 1)
DRAWS = 2000  # the standard deviation of a share is then 0.011 or less
QUADRANTS = np.kron(np.array([[50, 100], [150, 200]], np.uint8), np.ones((128, 128), np.uint8))
RAMP = np.broadcast_to(np.linspace(64, 192, 512), (512, 512)).astype(np.uint8)  # brighter to the right
WHITE = np.full((256, 256), 255, np.uint8)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def corners(picture: np.ndarray) -> tuple[int, ...]:
    return tuple(picture[[0, 0, -1, -1], [0, -1, 0, -1]].tolist())


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(list(AUGMENTATIONS)), st.integers(256, 320), st.integers(32, 256), SEEDS)
def test_any_side_gives_the_size_asked_for_and_leaves_the_picture_alone(
    name: str, side: int, size: int, seed: int
) -> None:
    picture = rng(seed).integers(0, 256, (side, side), np.uint8)
    before = picture.copy()
    picture.flags.writeable = False  # as a mapped file is
    result = AUGMENTATIONS[name](picture, rng(seed), size)
    assert result.shape == (size, size) and result.dtype == np.uint8
    np.testing.assert_array_equal(picture, before)


def mirrored(crop: np.ndarray) -> bool:
    return bool(crop[:, :8].mean() > crop[:, -8:].mean())


@settings(deadline=None, max_examples=100)
@given(SEEDS, st.sampled_from([64, 128, 256]))
def test_edge_never_flips(seed: int, size: int) -> None:
    assert not mirrored(edge(RAMP, rng(seed), size))


def test_a_flip_would_be_seen() -> None:
    assert any(mirrored(proposal(RAMP, rng(seed), 64)) for seed in range(20))


def test_edge_shows_the_picture_of_the_protocol_and_finer_ones() -> None:
    slopes = np.array([np.ptp(edge(RAMP, rng(seed), 128)[64].astype(float)) for seed in range(200)])
    whole = slopes > 0.9 * 64  # half of the 256 pixels: half of the ramp, give or take the gain
    assert 0.5 < whole.mean() < 0.8
    assert slopes.min() < 0.6 * 64  # half of the width at most


def test_what_paper_does_and_how_often() -> None:
    """On 70 %: half flipped, a third each by 90, 180 and 270 degrees. A rotation always moves the corners."""
    plain = corners(QUADRANTS)
    ways = {
        corners(np.rot90(QUADRANTS[:, ::-1] if flip else QUADRANTS, turns)): (flip, turns)
        for flip in (False, True)
        for turns in range(4)
    }
    shown = [corners(paper(QUADRANTS, rng(seed), 64)) for seed in range(DRAWS)]
    augmented = [ways[way] for way in shown if way != plain and 0 not in way]  # 0: cutout of a corner
    flips, turns = np.array(augmented).T
    assert np.mean([way == plain for way in shown]) == pytest.approx(0.3, abs=0.04)
    assert flips.mean() == pytest.approx(0.5, abs=0.06)
    assert np.bincount(turns, minlength=4)[1:] / len(turns) == pytest.approx([1 / 3] * 3, abs=0.06)
    assert 0 not in turns


def test_paper_crops_four_fifths_of_the_side_anywhere() -> None:
    ramp = np.broadcast_to(np.maximum(np.arange(256), 1).astype(np.uint8), (256, 256))
    shown = [paper(ramp, rng(seed), 256) for seed in range(300)]
    cropped = [crop for crop in shown if crop.all() and np.ptp(crop) < 250]  # no cutout, not plain
    assert all(np.ptp(crop) == pytest.approx(0.8 * 255, abs=2) for crop in cropped)
    starts = [int(crop.min()) for crop in cropped]
    assert min(starts) < 4 and max(starts) > 47


def test_paper_cuts_out_one_square_at_one_place_of_hr_and_lr() -> None:
    cut = [crop for crop in (paper(WHITE, rng(seed), 256) for seed in range(DRAWS)) if not crop.all()]
    assert len(cut) / DRAWS == pytest.approx(0.7 * 0.3, abs=0.04)
    for hr in cut[:50]:
        rows, columns = (np.flatnonzero((hr == 0).any(axis)) for axis in (1, 0))
        assert np.ptp(rows) == np.ptp(columns) == 50  # 20 % of 256 is 51 pixels
        assert not hr[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].any()
        touched = (hr.reshape(64, 4, 64, 4) == 0).any((1, 3))
        np.testing.assert_array_equal(lr_of(hr) < 255, touched)


def test_proposal_flips_half_turns_a_little_and_changes_the_brightness() -> None:
    flat, small_ramp = np.full((256, 256), 200, np.uint8), RAMP[:256, ::2]
    bright = [int(proposal(flat, rng(seed), 64)[32, 32]) for seed in range(200)]
    assert 180 <= min(bright) < 184 and 216 < max(bright) <= 220
    assert np.mean([mirrored(proposal(small_ramp, rng(seed), 64)) for seed in range(400)]) == pytest.approx(
        0.5, abs=0.1
    )
    angles = [angle_of(proposal(small_ramp, rng(seed), 128)) for seed in range(100)]
    assert 13 < max(angles) < 16 and min(angles) < 2


def angle_of(ramp: np.ndarray) -> float:
    """How far a ramp is turned from the horizontal, degrees; its middle, which the mirrored corners do not reach."""
    down, across = (np.abs(slope.mean()) for slope in np.gradient(ramp[32:-32, 32:-32].astype(float)))
    return float(np.degrees(np.arctan2(down, across)))


def test_turns_shows_all_eight_ways_round() -> None:
    picture = np.arange(36, dtype=np.uint8).reshape(6, 6)
    ways = {np.rot90(way, quarter).tobytes() for way in (picture, picture[:, ::-1]) for quarter in range(4)}
    shown = [turns(picture, rng(seed), 6).tobytes() for seed in range(400)]
    assert set(shown) == ways
    # as it is: no flip and no turn, or both flips and a half turn: 1/8 + 1/8 * 1/3
    assert np.mean([way == picture.tobytes() for way in shown]) == pytest.approx(1 / 6, abs=0.06)


def test_turns_takes_patches_from_everywhere_in_any_picture() -> None:
    y, x = np.mgrid[:50, :90].astype(np.uint8)
    colour = np.stack([y, x, 255 - x], -1)
    patches = [turns(colour, rng(seed), 20) for seed in range(300)]
    assert all(patch.shape == (20, 20, 3) for patch in patches)
    assert all(np.ptp(patch[..., 0]) == 19 and (patch[..., 1] + patch[..., 2] == 255).all() for patch in patches)
    assert min(patch[..., 1].min() for patch in patches) <= 2 and max(patch[..., 1].max() for patch in patches) >= 87
    assert min(patch[..., 0].min() for patch in patches) <= 1 and max(patch[..., 0].max() for patch in patches) >= 48


def test_an_unknown_augmentation() -> None:
    with pytest.raises(UsageError, match=r"papr; expected edge, paper, proposal"):
        augmentation("papr")


def obeys(hr: np.ndarray, lr: np.ndarray) -> bool:
    """The check of ``test_every_pair_obeys_the_degradation``."""
    return np.array_equal(lr_of(hr), lr)


def lr_crop_resampled(hr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    crop = cv2.resize(hr[:204, :204], (256, 256), interpolation=cv2.INTER_CUBIC)
    return crop, cv2.resize(lr_of(hr)[:51, :51], (64, 64), interpolation=cv2.INTER_CUBIC)


def cutout_at_two_places(hr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    cut, lr = hr.copy(), lr_of(hr)
    cut[100:151, 40:91] = 0
    lr[20:33, 30:43] = 0
    return cut, lr


def truncated_to_8_bit(hr: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return hr, hr.reshape(64, 4, 64, 4).mean((1, 3)).astype(np.uint8)


@pytest.mark.parametrize("published", [lr_crop_resampled, cutout_at_two_places, truncated_to_8_bit])
def test_the_faults_of_the_published_code_would_be_found(
    published: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
) -> None:
    picture = chest_phantom()
    assert obeys(picture, lr_of(picture))
    assert not obeys(*published(picture))
