"""Which pictures a calibration looks at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calibration.images import CalibrationImages, calibration_images, folder_tiles, phantom_tiles, pick
from edge_sr.errors import InputError, UsageError
from edge_sr.image.png import write_png

SIDE = 16
SMALL = {"tile": SIDE, "scale": 4}


def grey(*, level: float = 0.5, seed: int = 0) -> np.ndarray:
    """(1, SIDE, SIDE) around a level."""
    noise = np.random.default_rng(seed).uniform(-0.05, 0.05, (1, SIDE, SIDE))
    return (level + noise).astype(np.float32)


def crowd() -> np.ndarray:
    """60 tiles of a middling exposure."""
    return np.stack([grey(level=0.4 + 0.2 * n / 60, seed=n) for n in range(60)])


def marked() -> np.ndarray:
    tile = grey()
    tile[0, 2:4, 2:4] = 1
    return tile


def framed() -> np.ndarray:
    tile = grey(level=0.8)  # with its frame as bright as the others
    tile[0, :3] = tile[0, -3:] = 0
    return tile


@pytest.mark.parametrize(
    "odd", [grey(level=0.1), grey(level=0.9), marked(), framed()], ids=["dark", "bright", "marker", "collimated"]
)
def test_the_odd_one_of_a_crowd_is_picked(odd: np.ndarray) -> None:
    tiles = np.concatenate([crowd(), odd[None]])
    picked = pick(tiles, 8)
    assert picked.shape == (8, 1, SIDE, SIDE)
    assert any(np.array_equal(tile, odd) for tile in picked)


def test_the_choice_depends_on_the_seed_and_not_on_the_order() -> None:
    tiles = crowd()
    chosen = {n: {tile.tobytes() for tile in pick(tiles[::n], 16)} for n in (1, -1)}
    assert chosen[1] == chosen[-1]
    assert len(chosen[1]) == 16
    assert {tile.tobytes() for tile in pick(tiles, 16, seed=1)} != chosen[1]


def test_the_hash_is_of_the_set() -> None:
    tiles = crowd()
    images = CalibrationImages.of(tiles)
    turned = CalibrationImages.of(np.concatenate([tiles[::-1], tiles[:5]]))  # equal tiles are taken once
    assert images.sha256 == turned.sha256 and np.array_equal(images.lr, turned.lr)
    assert images.noise_seeds == turned.noise_seeds and len(set(images.noise_seeds)) == 60
    assert CalibrationImages.of(tiles[1:]).sha256 != images.sha256


def test_phantoms_come_in_four_exposures() -> None:
    plain, dark, bright, collimated = phantom_tiles(4, tile=32, scale=4)[:, 0]
    assert dark.mean() < plain.mean() < bright.mean()
    assert not collimated[:4].any() and not collimated[:, -4:].any()
    assert np.array_equal(phantom_tiles(2, tile=32, scale=4)[:, 0], [plain, dark])
    assert phantom_tiles(0, tile=32, scale=4).shape == (0, 1, 32, 32)


def write(folder: Path, name: str, shape: tuple[int, int] = (SIDE, SIDE), *, seed: int = 0) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(path, np.random.default_rng(seed).integers(0, 255, shape, np.uint8), text={})


def test_a_folder_is_read_with_its_subfolders(tmp_path: Path) -> None:
    write(tmp_path, "a.png", seed=1)
    write(tmp_path, "ward/b.png", seed=2)
    write(tmp_path, "large.png", (60, 60), seed=3)
    write(tmp_path, ".trash/c.png")
    write(tmp_path, "a_x4.png")  # of ours
    (tmp_path / "notes.txt").write_text("no picture")
    tiles = folder_tiles(tmp_path, tile=SIDE)
    assert tiles.shape == (1 + 1 + 4, 1, SIDE, SIDE)
    assert 0 <= tiles.min() < tiles.max() <= 1


def test_a_broken_file_is_skipped_and_told(tmp_path: Path) -> None:
    write(tmp_path, "good.png")
    (tmp_path / "bad.png").write_bytes((tmp_path / "good.png").read_bytes()[:60])
    faults: list[InputError] = []
    images = calibration_images(tmp_path, phantoms=2, count=8, **SMALL, skipped=faults.append)
    assert images.lr.shape == (3, 1, SIDE, SIDE)
    assert [Path(fault.where).name for fault in faults] == ["bad.png"]


def test_folders_without_a_picture_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"\x89PNG")
    with pytest.raises(UsageError, match="no picture that can be read"):
        calibration_images(tmp_path, phantoms=2, count=8, **SMALL)
    with pytest.raises(UsageError, match="no such folder"):
        calibration_images(tmp_path / "none", phantoms=2, count=8, **SMALL)
    with pytest.raises(UsageError, match="no picture to calibrate on; expected --images or --phantoms"):
        calibration_images(None, phantoms=0, count=8, **SMALL)


def test_pictures_that_test_are_refused(tmp_path: Path) -> None:
    for part in ("train/LR_64", "train/HR_256", "validation/LR_64", "test/LR_64"):
        write(tmp_path, f"{part}/a.png")
    (tmp_path / "store.json").write_text("{}")
    (tmp_path / "MANIFEST.csv").write_text("path\n")
    assert len(folder_tiles(tmp_path / "train" / "LR_64", tile=SIDE)) == 1
    with pytest.raises(UsageError, match="is a data set, whose test pictures"):
        folder_tiles(tmp_path, tile=SIDE)
    for part in ("train", "train/HR_256", "validation/LR_64", "test"):
        with pytest.raises(UsageError, match=r"not the training input of this data set\s+try: .*train/LR_64"):
            folder_tiles(tmp_path / part, tile=SIDE)
