"""Who belongs to which split, and what HR and LR are."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_sr.errors import EnvironmentFault, InputError, UsageError
from host_training.data.protocol import SPLITS, hr_of, lr_of, pictures_of, read_index, split_of


@pytest.fixture(scope="module")
def data_dir() -> Path:
    """The real data folder."""
    if "EDGE_SR_DATA" not in os.environ:
        pytest.skip("EDGE_SR_DATA names no data folder")
    return Path(os.environ["EDGE_SR_DATA"])


def write_manifest(folder: Path, *lines: str) -> Path:
    (folder / "MANIFEST.csv").write_text("\n".join(["path,source,patient_id", *lines]))
    return folder


@pytest.mark.parametrize(
    ("patient_id", "split"),
    [  # printf ID | sha256sum begins with the digits beside it; 0.7 * 2^16 is b333, 0.9 * 2^16 e666
        ("x", "train"),  # 2d71
        ("NIH-00052421", "train"),  # b332
        ("NIH-00068730", "validation"),  # b334
        ("NIH-00000013", "validation"),  # e665
        ("NIH-00104184", "test"),  # e667
    ],
)
def test_the_split_is_the_hash_of_the_patient(patient_id: str, split: str) -> None:
    assert split_of(patient_id) == split


@pytest.mark.parametrize(
    ("shares", "split"),
    [((69, 21, 10), "validation"), ((70, 0, 30), "train"), ((0, 100, 0), "validation"), ((0, 0, 100), "test")],
)
def test_other_shares_move_the_bounds(shares: tuple[int, int, int], split: str) -> None:
    assert split_of("NIH-00052421", shares) == split  # just below 0.7


def test_no_patient_and_no_picture_is_on_two_sides(data_dir: Path) -> None:
    with (data_dir / "MANIFEST.csv").open(newline="") as lines:
        hashes = {data_dir / row["path"]: row["sha256"] for row in csv.DictReader(lines)}
    patients, files = ({split: set() for split in SPLITS} for _ in range(2))
    for split in SPLITS:
        for folder in ("nih", "hannover"):
            patients[split] |= {(folder, p.patient_id) for p in pictures_of(data_dir, split, folder=folder)}
            files[split] |= {hashes[p.path] for p in pictures_of(data_dir, split, folder=folder)}
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert not patients[one] & patients[other]
        assert not files[one] & files[other]
    assert all(len(side) > 100 for side in patients.values())


def test_the_split_has_every_picture_once(data_dir: Path) -> None:
    counts = {split: len(pictures_of(data_dir, split)) for split in SPLITS}
    assert counts == {"train": 978, "validation": 311, "test": 130}
    assert sum(counts.values()) == len(read_index(data_dir))


def test_another_institution_is_for_testing_only(data_dir: Path) -> None:
    counts = {split: len(pictures_of(data_dir, split, folder="hannover")) for split in SPLITS}
    assert counts == {"train": 0, "validation": 0, "test": 117}


def test_two_pictures_of_a_patient_stay_together(tmp_path: Path) -> None:
    write_manifest(tmp_path, "nih/b.png,nih,NIH-00000013", "nih/a.png,nih,NIH-00000013", "nih/c.png,nih,x")
    assert [p.path.name for p in pictures_of(tmp_path, "validation")] == ["a.png", "b.png"]
    assert [p.path.name for p in pictures_of(tmp_path, "train")] == ["c.png"]


def test_a_folder_without_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match=r"no MANIFEST\.csv here(.|\n)*EDGE_SR_DATA"):
        read_index(tmp_path)


def test_an_empty_listing_is_an_error(tmp_path: Path) -> None:
    write_manifest(tmp_path, "dicom/a.dcm,x,y")
    with pytest.raises(EnvironmentFault, match="no picture of nih/"):
        read_index(tmp_path)


def test_a_misspelt_split_is_an_error(tmp_path: Path) -> None:
    write_manifest(tmp_path, "nih/a.png,nih,x")
    with pytest.raises(UsageError, match="no such split: val; expected train, validation, test"):
        pictures_of(tmp_path, "val")


def test_hr_is_the_area_mean_of_the_stored_picture(tmp_path: Path) -> None:
    stored = np.random.default_rng(0).integers(0, 256, (512, 512), np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), stored)
    mean = stored.reshape(256, 2, 256, 2).mean((1, 3))
    hr = hr_of(tmp_path / "a.png")
    assert hr.dtype == np.uint8 and np.abs(hr - mean).max() <= 0.5


def test_a_picture_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("not a picture")
    with pytest.raises(InputError, match=r"a\.png: cannot be decoded"):
        hr_of(tmp_path / "a.png")


def test_lr_is_the_rounded_mean_of_sixteen_pixels() -> None:
    hr = np.random.default_rng(0).integers(0, 256, (3, 256, 256), np.uint8)
    lr = lr_of(hr)
    assert lr.shape == (3, 64, 64) and lr.dtype == np.uint8
    np.testing.assert_array_equal(lr, np.rint(hr.reshape(3, 64, 4, 64, 4).mean((2, 4))))


def test_halves_are_rounded_to_even() -> None:
    hr = np.zeros((4, 12), np.uint8)
    hr[:2, 0:4], hr[:2, 4:8], hr[:, 8:] = 1, 3, 255  # means 0.5, 1.5 and 255
    assert lr_of(hr).tolist() == [[0, 2, 255]]
