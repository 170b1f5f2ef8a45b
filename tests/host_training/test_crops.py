"""What a training step is shown."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_sr.image.phantom import chest_phantom
from host_training.data.crops import crop_batch, load_hr, unit
from host_training.data.protocol import lr_of


@pytest.fixture(scope="module")
def hr() -> np.ndarray:
    return np.stack([chest_phantom(seed=seed) for seed in range(3)])


@pytest.mark.parametrize("size", [32, 96, 256])
def test_lr_obeys_the_degradation_for_every_crop(hr: np.ndarray, size: int) -> None:
    for step in range(4):
        truth, lr = crop_batch(hr, seed=0, step=step, batch=5, size=size)
        assert truth.shape == (5, 1, size, size) and lr.shape == (5, 1, size // 4, size // 4)
        grey = np.rint(truth * 255).astype(np.uint8)
        np.testing.assert_array_equal(unit(grey), truth)  # on the 8-bit grid
        np.testing.assert_array_equal(unit(lr_of(grey)), lr)


def test_a_batch_depends_on_seed_and_step_alone(hr: np.ndarray) -> None:
    first = crop_batch(hr, seed=3, step=7, batch=4, size=64)
    np.random.seed(1)
    crop_batch(hr, seed=3, step=8, batch=4, size=64)
    for once, again in zip(first, crop_batch(hr, seed=3, step=7, batch=4, size=64), strict=True):
        np.testing.assert_array_equal(once, again)


@pytest.mark.parametrize(("seed", "step"), [(3, 8), (4, 7), (7, 3)])
def test_another_seed_or_step_is_another_batch(hr: np.ndarray, seed: int, step: int) -> None:
    one, other = (crop_batch(hr, seed=s, step=t, batch=4, size=64)[0] for s, t in ((3, 7), (seed, step)))
    assert not any(np.array_equal(a, b) for a in one for b in other)


def test_crops_come_from_every_picture_and_place() -> None:
    ramp = np.arange(256, dtype=np.uint8)
    hr = np.stack([np.broadcast_to(ramp // 2, (256, 256)), np.broadcast_to(128 + ramp[:, None] // 2, (256, 256))])
    truth, _ = crop_batch(hr, seed=0, step=0, batch=300, size=128)
    first = truth[:, 0, 0, 0] < truth[:, 0, 0, -1]  # brighter to the right, and not downwards
    starts = truth[first, 0, 0, 0] * 255 * 2
    assert 100 < first.sum() < 200
    assert starts.min() < 16 and starts.max() > 112


def test_pictures_are_read_once(tmp_path: Path) -> None:
    (tmp_path / "nih").mkdir()
    for seed in range(2):
        cv2.imwrite(str(tmp_path / f"nih/{seed}.png"), chest_phantom(512, seed=seed))
    (tmp_path / "MANIFEST.csv").write_text("path,source,patient_id\nnih/0.png,nih,x\nnih/1.png,nih,y\n")
    first = load_hr(tmp_path, "train", cache_dir=tmp_path / "runs")
    assert first.shape == (2, 256, 256) and first.dtype == np.uint8
    (cached,) = (tmp_path / "runs").iterdir()
    assert cached.match("hr-train-*.npy")
    (tmp_path / "nih/0.png").unlink()
    np.testing.assert_array_equal(load_hr(tmp_path, "train", cache_dir=tmp_path / "runs"), first)


def test_another_listing_is_another_cache(tmp_path: Path) -> None:
    (tmp_path / "nih").mkdir()
    for seed in range(2):
        cv2.imwrite(str(tmp_path / f"nih/{seed}.png"), chest_phantom(512, seed=seed))
    counts = []
    for rows in ("nih/0.png,nih,x\n", "nih/0.png,nih,x\nnih/1.png,nih,y\n"):
        (tmp_path / "MANIFEST.csv").write_text(f"path,source,patient_id\n{rows}")
        counts.append(len(load_hr(tmp_path, "train", cache_dir=tmp_path / "runs")))
    assert counts == [1, 2]
