"""What a training step is shown."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sr.errors import InputError, UsageError
from edge_sr.image.phantom import chest_phantom
from host_training.data.augment import AUGMENTATIONS
from host_training.data.crops import crop_batch, hr_stack, load_pictures, unit
from host_training.data.protocol import lr_of

PICTURES = {side: np.stack([chest_phantom(side, seed=seed) for seed in range(2)]) for side in (256, 384)}
SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.integers(8, 64).map(lambda quarter: 4 * quarter)


def levels(unit_pixels: np.ndarray) -> np.ndarray:
    return np.rint(unit_pixels * 255).astype(np.uint8)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(list(AUGMENTATIONS)), st.sampled_from(list(PICTURES)), SEEDS, st.integers(0, 10**6), SIZES)
def test_every_pair_obeys_the_degradation(augment: str, side: int, seed: int, step: int, size: int) -> None:
    hr, lr = crop_batch(PICTURES[side], seed=seed, step=step, samples=range(3), size=size, augment=augment)
    assert hr.shape == (3, 1, size, size) and lr.shape == (3, 1, size // 4, size // 4)
    assert hr.dtype == lr.dtype == np.float32
    np.testing.assert_array_equal(unit(levels(hr)), hr)  # on the 8-bit grid
    np.testing.assert_array_equal(unit(lr_of(levels(hr))), lr)


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(list(AUGMENTATIONS)), st.sampled_from(["area", "high-order"]), SEEDS, st.integers(0, 10**6))
def test_a_sample_depends_on_seed_step_and_its_number_alone(
    augment: str, degradation: str, seed: int, step: int
) -> None:
    def pairs(*samples: int) -> tuple[np.ndarray, np.ndarray]:
        drawn = {"size": 64, "augment": augment, "degradation": degradation}
        return crop_batch(PICTURES[256], seed=seed, step=step, samples=samples, **drawn)

    together = pairs(0, 1, 2)
    np.random.seed(1)
    pairs(5)
    for once, again in zip(together, pairs(2), strict=True):
        np.testing.assert_array_equal(once[2], again[0])


@pytest.mark.parametrize("scale", [2, 4])
def test_pictures_in_colour_of_any_shape(scale: int) -> None:
    colour = [np.random.default_rng(side).integers(0, 256, (side, 100, 3), np.uint8) for side in (60, 90)]
    drawn = {"size": 32, "augment": "turns", "scale": scale}
    hr, lr = crop_batch(colour, seed=0, step=0, samples=range(3), **drawn)
    assert hr.shape == (3, 3, 32, 32) and lr.shape == (3, 3, 32 // scale, 32 // scale)
    assert hr.flags.c_contiguous and lr.flags.c_contiguous
    mean = levels(hr).reshape(3, 3, 32 // scale, scale, 32 // scale, scale).mean((3, 5))
    np.testing.assert_array_equal(levels(lr), np.rint(mean))


@pytest.mark.parametrize(("seed", "step"), [(3, 8), (4, 7), (7, 3)])
def test_another_seed_or_step_is_another_batch(seed: int, step: int) -> None:
    one, other = (
        crop_batch(PICTURES[256], seed=s, step=t, samples=range(4), size=64)[0] for s, t in ((3, 7), (seed, step))
    )
    assert not any(np.array_equal(a, b) for a in one for b in other)


def test_crops_come_from_every_picture_and_place() -> None:
    ramp = np.arange(256, dtype=np.uint8)
    pictures = np.stack([np.broadcast_to(ramp, (256, 256)), np.broadcast_to(ramp[:, None], (256, 256))])
    hr = levels(crop_batch(pictures, seed=0, step=0, samples=range(300), size=128)[0][:, 0]).astype(int)
    across = np.abs(hr[:, 64, -1] - hr[:, 64, 0]) > np.abs(hr[:, -1, 64] - hr[:, 0, 64])
    starts = hr[across, 64, 0]
    assert 100 < across.sum() < 200
    assert starts.min() < 20 and starts.max() > 108


@pytest.mark.parametrize(
    ("options", "message"),
    [({"augment": "papr"}, "edge, paper, proposal"), ({"degradation": "cubic"}, "area, cubic-from-hr, high-order")],
)
def test_names_that_are_not_there(options: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        crop_batch(PICTURES[256], seed=0, step=0, samples=[0], size=64, **options)


def write_noise(path: Path, side: int) -> None:
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (side, side), np.uint8))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two training pictures; noise serves where nobody looks at it."""
    (tmp_path / "nih").mkdir()
    for seed in range(2):
        write_noise(tmp_path / f"nih/{seed}.png", 512)
    (tmp_path / "MANIFEST.csv").write_text("path,source,patient_id\nnih/0.png,nih,x\nnih/1.png,nih,y\n")
    return tmp_path


def test_pictures_are_read_once(data: Path) -> None:
    first = load_pictures(data, "train", cache_dir=data / "runs")
    assert first.shape == (2, 512, 512) and first.dtype == np.uint8
    assert [path.suffix for path in (data / "runs").iterdir()] == [".npy"]
    (data / "nih/0.png").unlink()
    np.testing.assert_array_equal(load_pictures(data, "train", cache_dir=data / "runs"), first)


def test_another_listing_is_another_cache(data: Path) -> None:
    assert len(load_pictures(data, "train", cache_dir=data / "runs")) == 2
    (data / "MANIFEST.csv").write_text("path,source,patient_id\nnih/0.png,nih,x\n")
    assert len(load_pictures(data, "train", cache_dir=data / "runs")) == 1


def test_one_small_picture_makes_all_of_them_small(data: Path) -> None:
    write_noise(data / "nih/1.png", 300)
    assert load_pictures(data, "train", cache_dir=data / "runs").shape == (2, 256, 256)


def test_a_picture_below_256_is_refused(data: Path) -> None:
    write_noise(data / "nih/1.png", 255)
    with pytest.raises(InputError, match="at least 256"):
        load_pictures(data, "train", cache_dir=data / "runs")


def test_hr_is_the_area_mean_of_the_stored_picture() -> None:
    stored = np.random.default_rng(0).integers(0, 256, (1, 512, 512), np.uint8)
    expected = cv2.resize(stored[0], (256, 256), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(hr_stack(stored), expected[None])
