"""Natural pictures: splits, reading, luma."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_sr.errors import EnvironmentFault, InputError, UsageError
from host_training.data.natural import luma, natural_paths, natural_picture, pair_of, picture_name
from tests.host_training.natural_folders import scene, write_div2k, write_scene

SPLITS = ("train", "validation", "test")


def test_div2k_has_its_own_split(tmp_path: Path) -> None:
    write_div2k(tmp_path, train=3, validation=2)
    assert [path.name for path in natural_paths(tmp_path, "train")] == ["0001.png", "0002.png", "0003.png"]
    assert [path.name for path in natural_paths(tmp_path, "validation")] == ["0801.png", "0802.png"]
    with pytest.raises(EnvironmentFault, match="no picture in its test split"):
        natural_paths(tmp_path, "test")


def test_any_other_folder_is_shared_out_by_name(tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / f"{number}.png").touch()
    split = {name: natural_paths(tmp_path, name) for name in SPLITS}
    assert sum(map(len, split.values())) == 60 and len(split["train"]) > len(split["validation"]) > len(split["test"])
    (tmp_path / "another.png").touch()
    assert all(set(paths) <= set(natural_paths(tmp_path, name)) for name, paths in split.items())


def test_the_sizes_of_a_picture_stand_together(tmp_path: Path) -> None:
    for number in range(40):
        for mark in ("", "T0", "T3"):
            (tmp_path / f"{number}{mark}.png").touch()
    for name in SPLITS:
        paths = natural_paths(tmp_path, name)
        assert len(paths) == 3 * len({picture_name(path) for path in paths})


def test_hidden_files_and_folders_are_not_looked_at(tmp_path: Path) -> None:
    for name in ("DIV2K_train_HR/a.png", "DIV2K_train_HR/.b.png", "DIV2K_train_HR/.c/d.png", "DIV2K_train_HR/e.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in natural_paths(tmp_path, "train")] == ["a.png"]


def test_an_unknown_split(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such split: tests"):
        natural_paths(tmp_path, "tests")


def test_a_picture_is_rgb_or_luma(tmp_path: Path) -> None:
    picture = write_scene(tmp_path / "a.png")
    np.testing.assert_array_equal(natural_picture(tmp_path / "a.png"), picture)
    expected = picture @ np.array([0.299, 0.587, 0.114])
    assert np.abs(natural_picture(tmp_path / "a.png", channels=1) - expected).max() <= 1


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA"])
def test_other_kinds_of_files_are_read(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(scene(0)).convert(mode)
    image.save(tmp_path / "a.png")
    picture = natural_picture(tmp_path / "a.png")
    assert picture.ndim == (2 if mode in ("L", "LA") else 3)
    assert natural_picture(tmp_path / "a.png", channels=3).shape == (96, 112, 3)


def test_exif_turns_a_picture_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    Image.fromarray(scene(0)).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(natural_picture(tmp_path / "a.png"), np.rot90(scene(0), -1))


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    write_scene(tmp_path / "a.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:2000])
    (tmp_path / "text.png").write_text("no picture")
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "deep.png")
    for name in ("cut.jpg", "text.png", "deep.png", "none.png"):
        with pytest.raises(InputError, match=name):
            natural_picture(tmp_path / name)


def test_luma_is_that_of_matlab() -> None:
    """rgb2ycbcr of black, white, red, green, blue and a grey, from its documentation's formula."""
    colours = np.uint8([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [128, 128, 128]]])
    assert luma(colours).tolist() == [[16, 235, 81, 145, 41, 126]]
    grey = np.uint8([[0, 100, 255]])
    assert luma(grey) is grey


@pytest.mark.parametrize("shape", [(37, 50), (37, 50, 3)])
def test_a_pair_is_cut_to_whole_pixels_of_lr(shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    hr, lr = pair_of(picture)
    np.testing.assert_array_equal(hr, picture[:36, :48])
    assert lr.shape == (9, 12, *shape[2:]) and pair_of(picture, 2)[1].shape == (18, 25, *shape[2:])
