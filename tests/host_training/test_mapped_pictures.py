"""Decoded once, mapped from the disk."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from edge_sr.errors import InputError, IntegrityError
from host_training.data.mapped_pictures import mapped_pictures
from tests.host_training.natural_folders import scene, write_scene

SIZES = [(96, 112), (101, 90), (120, 97)]


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    found = [tmp_path / f"{number}.png" for number in range(len(SIZES))]
    for number, path in enumerate(found):
        write_scene(path, number, *SIZES[number])
    return found


@pytest.mark.parametrize("channels", [1, 3])
def test_every_picture_keeps_its_size(paths: list[Path], tmp_path: Path, channels: int) -> None:
    pictures = mapped_pictures(paths, tmp_path / "runs", channels=channels, least=32)
    assert len(pictures) == 3 and [picture.shape[:2] for picture in pictures] == SIZES
    assert all(picture.ndim == (2 if channels == 1 else 3) for picture in pictures)
    if channels == 3:
        np.testing.assert_array_equal(pictures[-1], scene(2, *SIZES[2]))
        assert [len(picture) for picture in pictures[::2]] == [96, 120]


def test_files_are_decoded_once(paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = mapped_pictures(paths, tmp_path / "runs", channels=3, least=32)
    monkeypatch.setattr("host_training.data.mapped_pictures.natural_picture", None)
    again = mapped_pictures(paths, tmp_path / "runs", channels=3, least=32)
    np.testing.assert_array_equal(again[1], first[1])


def test_a_changed_file_is_decoded_anew(paths: list[Path], tmp_path: Path) -> None:
    mapped_pictures(paths, tmp_path / "runs", channels=3, least=32)
    expected = write_scene(paths[0], 7, *SIZES[0])
    os.utime(paths[0], ns=(0, 0))
    np.testing.assert_array_equal(mapped_pictures(paths, tmp_path / "runs", channels=3, least=32)[0], expected)


def test_a_picture_smaller_than_a_patch_is_refused(paths: list[Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"1\.png: 90x101 pixels; expected sides of at least 92"):
        mapped_pictures(paths, tmp_path / "runs", channels=3, least=92)


def test_a_bad_picture_leaves_no_cache(paths: list[Path], tmp_path: Path) -> None:
    paths[1].write_text("no picture")
    with pytest.raises(InputError, match=r"1\.png"):
        mapped_pictures(paths, tmp_path / "runs", channels=3, least=32)
    assert not list((tmp_path / "runs").iterdir())


def test_a_cut_cache_is_told(paths: list[Path], tmp_path: Path) -> None:
    mapped_pictures(paths, tmp_path / "runs", channels=3, least=32)
    cache = next((tmp_path / "runs").glob("*.pixels"))
    os.truncate(cache, 1000)
    with pytest.raises(IntegrityError, match="was cut or removed"):
        mapped_pictures(paths, tmp_path / "runs", channels=3, least=32)
