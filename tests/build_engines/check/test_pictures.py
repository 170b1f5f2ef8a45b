"""Which pictures calibrate, which check, and what may serve as the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from build_engines.check import pictures as module
from build_engines.check.effort import Effort
from build_engines.check.pictures import FIRST_OF_CHECK, Pictures, build_pictures, truth_pictures
from calibration.images import phantom_tiles
from edge_sr.artifacts.manifest import Manifest
from edge_sr.errors import InputError, UsageError
from edge_sr.image.png import write_png
from tests.tiny_bundle import tiny_manifest

MANIFEST = tiny_manifest()


def scans(folder: Path, count: int, side: int = 64) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(count)
    for number in range(count):
        write_png(folder / f"{number}.png", rng.integers(60, 200, (side, side), np.uint8), text={})
    return folder


def tiles_of(pictures: np.ndarray) -> set[bytes]:
    return {tile.tobytes() for tile in pictures}


def test_phantoms_that_calibrate_never_check() -> None:
    pictures = Pictures(MANIFEST, np.empty((0, 1, 64, 64), np.float32), check_phantoms=2, calibration_phantoms=3)
    assert pictures.check.lr.shape == (2, 1, 64, 64) and pictures.calibration.lr.shape == (3, 1, 64, 64)
    assert not tiles_of(pictures.check.lr) & tiles_of(pictures.calibration.lr)
    assert tiles_of(phantom_tiles(2, tile=64, scale=4, first=FIRST_OF_CHECK)) == tiles_of(pictures.check.lr)


def no_calibration_phantoms(manifest: Manifest, folder: Path) -> Pictures:
    pictures = build_pictures(manifest, folder, phantoms=0)
    return Pictures(manifest, pictures.tiles, check_phantoms=0, calibration_phantoms=0)


def test_every_other_tile_of_a_folder_checks(tmp_path: Path) -> None:
    pictures = no_calibration_phantoms(MANIFEST, scans(tmp_path / "scans", 5))
    check, calibration = tiles_of(pictures.check.lr), tiles_of(pictures.calibration.lr)
    assert (len(check), len(calibration)) == (2, 3) and not check & calibration


def test_a_single_tile_does_both(tmp_path: Path) -> None:
    pictures = no_calibration_phantoms(MANIFEST, scans(tmp_path / "scans", 1))
    assert tiles_of(pictures.check.lr) == tiles_of(pictures.calibration.lr) != set()


def test_phantoms_are_drawn_when_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures, drawn = build_pictures(MANIFEST, phantoms=3), list[int]()

    def draw(count: int, **where: int) -> np.ndarray:
        drawn.append(count)
        return phantom_tiles(1, tile=64, scale=4)

    monkeypatch.setattr(module, "phantom_tiles", draw)
    assert drawn == []
    assert pictures.check is pictures.check
    assert drawn == [3]


def test_what_cannot_be_read_is_told_and_left_out(tmp_path: Path) -> None:
    folder, told = scans(tmp_path / "scans", 2), list[InputError]()
    (folder / "bad.png").write_text("hello")
    assert len(build_pictures(MANIFEST, folder, skipped=told.append).tiles) == 2
    assert [Path(fault.where).name for fault in told] == ["bad.png"]


def test_nothing_to_check_on_is_a_fault_of_the_command_line() -> None:
    with pytest.raises(UsageError, match="no picture to check the engine on; expected --check-phantoms 1 or more"):
        build_pictures(MANIFEST, phantoms=0)


def test_the_truth_is_the_middle_of_each_picture(tmp_path: Path) -> None:
    large = np.zeros((260, 300), np.uint8)
    large[2:258, 22:278] = 255
    write_png(tmp_path / "large.png", large, text={})
    write_png(tmp_path / "right.png", np.zeros((256, 256), np.uint8), text={})
    truth = truth_pictures(tmp_path, MANIFEST)
    assert truth.shape == (2, 1, 256, 256) and truth.dtype == np.float32
    assert [(each.min(), each.max()) for each in truth] == [(1, 1), (0, 0)]


def test_a_picture_that_is_too_small_for_the_truth(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"0\.png: 255x255 pixels; expected at least 256x256"):
        truth_pictures(scans(tmp_path / "hr", 1, side=255), MANIFEST)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no picture"):
        truth_pictures(tmp_path / "empty", MANIFEST)


def test_test_pictures_decide_nothing(tmp_path: Path) -> None:
    (tmp_path / "store.json").write_text("{}")
    for part in ("test", "validation"):
        (tmp_path / part).mkdir()
        scans(tmp_path / part / "HR_256", 1, side=256)
    assert len(truth_pictures(tmp_path / "validation" / "HR_256", MANIFEST)) == 1
    with pytest.raises(UsageError, match="is the test part of a data set(.|\n)*validation/HR_256"):
        truth_pictures(tmp_path / "test" / "HR_256", MANIFEST)


def test_fewer_phantoms_of_a_model_whose_pictures_cost_much() -> None:
    costly, cheap = Effort({"a": 10**15}), Effort({"a": 1})
    pictures = build_pictures(MANIFEST)
    assert (pictures.affordable(cheap).check_phantoms, pictures.affordable(cheap).calibration_phantoms) == (24, 64)
    assert (pictures.affordable(costly).check_phantoms, pictures.affordable(costly).calibration_phantoms) == (4, 8)
    asked = build_pictures(MANIFEST, phantoms=30, calibration_phantoms=1).affordable(costly)
    assert (asked.check_phantoms, asked.calibration_phantoms) == (30, 1)
    assert str(asked) == "30 phantoms check and 1 calibrate"


def test_nothing_to_calibrate_on_is_a_fault_of_the_command_line() -> None:
    with pytest.raises(UsageError, match="no picture to calibrate on; expected --calibration-phantoms 1 or more"):
        build_pictures(MANIFEST, calibration_phantoms=0)
