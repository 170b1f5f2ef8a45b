"""The contact sheet: what stands on it, and the command that writes it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from edge_sr.artifacts.bundle import file_sha256
from edge_sr.errors import EnvironmentFault, InputError, UsageError
from edge_sr.image.phantom import chest_phantom
from host_training.contact_sheet import contact_sheet_command
from host_training.data.augment import AUGMENTATIONS
from host_training.data.contact_sheet import MARGIN, contact_sheet, degradation_sheet, page
from host_training.data.degradations import DEGRADATIONS
from host_training.data.protocol import lr_of
from host_training.data.store import COLUMNS

PICTURES = [chest_phantom(256, seed=seed) for seed in range(2)]
NOISE = np.random.default_rng(0).integers(0, 250, (40, 40), np.uint8)


def last_column(sheet: np.ndarray, size: int) -> list[np.ndarray]:
    """Its tiles, from below upwards, as they stand at the right margin."""
    right = sheet.shape[1] - MARGIN
    bottoms = range(sheet.shape[0] - MARGIN, size, -(size + 8))
    return [sheet[bottom - size : bottom, right - size : right] for bottom in bottoms]


@pytest.mark.parametrize("augment", list(AUGMENTATIONS))
def test_lr_on_the_sheet_is_that_of_the_hr_above_it(augment: str) -> None:
    sheet = contact_sheet(PICTURES, augment=augment, seed=1, count=6)
    lr, hr, picture = last_column(sheet, 224)[:3]
    np.testing.assert_array_equal(lr[::4, ::4], lr_of(hr))
    np.testing.assert_array_equal(np.kron(lr[::4, ::4], np.ones((4, 4), np.uint8)), lr)
    np.testing.assert_array_equal(picture, cv2.resize(PICTURES[1], (224, 224), interpolation=cv2.INTER_AREA))


@pytest.mark.parametrize("degradation", list(DEGRADATIONS))
def test_a_degradation_stands_below_the_area_mean(degradation: str) -> None:
    rows = last_column(degradation_sheet(PICTURES, degradation=degradation, count=3), 256)
    rows = rows[: {"area": 2, "high-order": 5}.get(degradation, 3)]
    hr, area, *made = rows[::-1]
    np.testing.assert_array_equal(area[::4, ::4], lr_of(hr))
    assert all(not np.array_equal(lr, area) for lr in made)


def test_a_sheet_depends_on_its_seed_and_the_place_in_it_alone() -> None:
    sheet = contact_sheet(PICTURES, augment="paper", seed=1, count=6)
    np.testing.assert_array_equal(contact_sheet(PICTURES * 2, augment="paper", seed=1, count=6), sheet)
    assert not np.array_equal(contact_sheet(PICTURES, augment="paper", seed=2, count=6)[100:], sheet[100:])


def test_a_page_has_margins_labels_and_every_tile() -> None:
    columns = [[NOISE + i, 255 - NOISE - i] for i in range(8)]
    sheet = page("Title", "note", ["one", "two"], [[tile.astype(np.uint8) for tile in column] for column in columns])
    assert sheet.dtype == np.uint8
    for edge in (sheet[:MARGIN], sheet[-MARGIN:], sheet[:, :MARGIN], sheet[:, -MARGIN:]):
        assert (edge == 255).all()
    assert sheet[MARGIN : MARGIN + 40].min() == 0  # the title
    windows = np.lib.stride_tricks.sliding_window_view(sheet, (40, 40))
    for tile in (tile for column in columns for tile in column):
        places = np.argwhere((windows[..., 0, 0] == tile[0, 0]) & (windows[..., 39, 39] == tile[39, 39]))
        assert sum(np.array_equal(windows[y, x], tile) for y, x in places) == 1


def run(*words: object) -> Result:
    return CliRunner().invoke(contact_sheet_command, [str(word) for word in words], env={"EDGE_SR_DATA": None})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "nih").mkdir()
    for seed, picture in enumerate(PICTURES):
        cv2.imwrite(str(tmp_path / f"nih/{seed}.png"), picture)
    (tmp_path / "MANIFEST.csv").write_text("path,source,patient_id\nnih/0.png,nih,x\nnih/1.png,nih,y\n")
    return tmp_path


def test_without_data_it_draws_phantoms(tmp_path: Path) -> None:
    result = run("--count", 1, "-o", tmp_path / "sheet.png")
    assert result.exit_code == 0 and result.stdout == f"{tmp_path / 'sheet.png'}\n"
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.mode == "L" and sheet.text["Description"] == "Contact sheet: edge, seed 0, synthetic phantoms"


def test_with_data_it_shows_training_pictures(data: Path) -> None:
    assert run("--data", data, "--degradation", "area", "--count", 2, "-o", data / "sheet.png").exit_code == 0
    sheet = cv2.imread(str(data / "sheet.png"), cv2.IMREAD_UNCHANGED)
    assert any(np.array_equal(last_column(sheet, 256)[1], picture) for picture in PICTURES)


def test_a_prepared_store_is_data_too(tmp_path: Path) -> None:
    np.save(tmp_path / "pictures-train.npy", np.stack(PICTURES))
    (tmp_path / "MANIFEST.csv").write_text(",".join(COLUMNS) + "\n")
    record = {"schema_version": 1, "layout": "store", "degradation": "area", "side": 256, "pictures": {"train": 2}}
    record["sha256"] = {name: file_sha256(tmp_path / name) for name in ("MANIFEST.csv", "pictures-train.npy")}
    (tmp_path / "store.json").write_text(json.dumps(record))
    assert run("--data", tmp_path, "--degradation", "area", "--count", 2, "-o", tmp_path / "s.png").exit_code == 0
    sheet = cv2.imread(str(tmp_path / "s.png"), cv2.IMREAD_UNCHANGED)
    assert any(np.array_equal(last_column(sheet, 256)[1], picture) for picture in PICTURES)


def test_what_the_command_refuses(data: Path) -> None:
    both = run("--augment", "paper", "--degradation", "area", "-o", data / "sheet.png")
    assert isinstance(both.exception, UsageError)
    assert run("--augment", "papr", "-o", data / "sheet.png").exit_code == 2
    (data / "sheet.png").touch()
    assert isinstance(run("--data", data, "-o", data / "sheet.png").exception, UsageError)
    assert run("--data", data, "--count", 1, "--overwrite", "-o", data / "sheet.png").exit_code == 0


def test_data_that_cannot_be_shown(data: Path) -> None:
    (data / "nih/0.png").write_text("no picture")
    assert isinstance(run("--data", data, "-o", data / "sheet.png").exception, InputError)
    cv2.imwrite(str(data / "nih/0.png"), PICTURES[0][:200])
    assert isinstance(run("--data", data, "-o", data / "sheet.png").exception, InputError)
    (data / "MANIFEST.csv").write_text("path,source,patient_id\nnih/0.png,nih,a\n")
    empty = run("--data", data, "-o", data / "sheet.png").exception
    assert isinstance(empty, EnvironmentFault) and "training split" in str(empty)
