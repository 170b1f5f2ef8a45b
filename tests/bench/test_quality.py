from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_sr.artifacts.bundle import Bundle
from edge_sr.bench.hr_pictures import HrPicture, pair, patients_of, phantoms, pictures_in, reduced
from edge_sr.bench.panels import Album, album_of, magnified, to_show
from edge_sr.bench.quality import find_lpips, judge, makers_of
from edge_sr.bench.schema import Quality
from edge_sr.bench.scores import Shifts, score
from edge_sr.errors import InputError, UsageError
from edge_sr.image.png import write_png
from tests.bench.conftest import Opened
from tests.bench.reports import QUALITY


def judged(makers: object, pictures: list[HrPicture], warn: Callable[[str], None] = print) -> list[Quality]:
    return list(judge(makers, pictures, lpips=None, warn=warn, tell=lambda line: None).values())  # type: ignore[arg-type]


def test_figures_of_a_picture_that_equals_hr() -> None:
    hr, lr = pair(phantoms(64, 1)[0].read(), 4)
    found = score(hr, hr, lr.pixels)
    assert (found["psnr_db"], found["ssim"], found["mean_shift"]) == (100, 1, 0)
    assert found["haarpsi_med"] == pytest.approx(1) and found["lr_rmse"] < 0.5


def test_sixteen_bits_give_the_figures_of_eight() -> None:
    hr, lr = pair(phantoms(64, 1)[0].read(), 4)
    sr = np.roll(hr, 1, axis=1)
    wide = score(*(each.astype(np.uint16) * 257 for each in (sr, hr, lr.pixels)))
    narrow = score(sr, hr, lr.pixels)
    assert all(wide[name] == pytest.approx(value, rel=1e-6, abs=1e-9) for name, value in narrow.items())


def test_a_variant_is_compared_with_hr_and_picture_by_picture_with_bicubic(tiny: Bundle, opened: Opened) -> None:
    with ExitStack() as stack:
        network, bicubic = judged(makers_of(opened(tiny.folder, "bicubic"), stack), phantoms(128, 3))
    assert network.pictures == 3 and network.patients is None and network.against_float32 is None
    difference = network.metrics["psnr_db"].mean - bicubic.metrics["psnr_db"].mean
    assert network.over_bicubic["psnr_db"].mean == pytest.approx(difference, abs=1e-4)
    gains = [worst.over_bicubic["psnr_db"] for worst in network.worst]
    assert gains == sorted(gains) and bicubic.over_bicubic == {}


def test_variants_that_differ_in_threads_alone_are_judged_once(tiny: Bundle, opened: Opened) -> None:
    with ExitStack() as stack:
        makers = makers_of(opened(tiny.folder, threads=(1, 2)), stack)
    assert len(makers.subjects) == 1


def test_an_engine_is_held_against_float32(tiny: Bundle, opened: Opened) -> None:
    """Here the engine is float32 itself under another name."""
    (subject,) = opened(tiny.folder)
    with ExitStack() as stack:
        (quality,) = judged(makers_of([replace(subject, precision="int8")], stack), phantoms(128, 2))
    against = quality.against_float32
    assert against is not None and against.psnr_db is None and against.mean_shift.mean == 0
    assert set(against.shift_by_decile) <= {0.0, None}


def test_a_shift_is_told_where_it_is() -> None:
    float32 = np.arange(256, dtype=np.uint8).reshape(16, 16)
    sr = float32.copy()
    sr[float32 < 25] += 2
    shifts = Shifts()
    shifts.add(sr, float32)
    deciles = shifts.by_decile()
    assert deciles[0] == pytest.approx(2, abs=0.1) and set(deciles[2:]) == {0.0}
    assert shifts.told(["a"]).mean_shift.mean == pytest.approx(2 * 25 / 256, abs=1e-6)


def test_a_tenth_without_pixels_is_told_as_none() -> None:
    float32 = np.zeros((16, 16), np.uint8)  # one level, which lies in the middle
    shifts = Shifts()
    shifts.add(float32 + np.uint8(1), float32)
    assert [n for n, shift in enumerate(shifts.by_decile()) if shift is not None] == [5]


def test_a_picture_that_cannot_be_used_is_told_and_left_out(opened: Opened, warned: list[str]) -> None:
    def broken() -> np.ndarray:
        raise InputError("is torn")

    with ExitStack() as stack:
        makers = makers_of(opened("bicubic"), stack)
        (quality,) = judged(makers, [*phantoms(64, 1), HrPicture("b.png", broken)], warned.append)
        with pytest.raises(UsageError, match="no picture could be used"):
            judged(makers, [HrPicture("b.png", broken)], warned.append)
    assert quality.pictures == 1 and "b.png" in warned[0] and "is torn" in warned[0]


def test_lr_is_the_mean_of_the_pixels_it_stands_for() -> None:
    hr, lr = pair(np.arange(66 * 67, dtype=np.uint16).reshape(66, 67), 4)
    assert hr.shape == (64, 64) and lr.pixels.shape == (16, 16)
    assert lr.pixels[0, 0] == round(float(hr[:4, :4].mean()))


def test_pictures_are_spread_over_the_folder_and_reduced(tmp_path: Path) -> None:
    for number in range(6):
        write_png(tmp_path / f"{number}.png", np.full((96, 128), number, np.uint8), text={})
    (tmp_path / "notes.txt").write_text("no picture")
    found = pictures_in(tmp_path, limit=3, side=48)
    assert [picture.name for picture in found] == ["0.png", "2.png", "4.png"]
    assert found[1].read().shape == (48, 64) and found[1].read()[0, 0] == 2


def test_a_folder_without_pictures_is_a_fault_of_the_command_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no picture in it"):
        pictures_in(tmp_path, limit=3, side=0)


def test_what_is_small_enough_is_not_resampled() -> None:
    hr = phantoms(64, 1)[0].read()
    assert reduced(hr, 0) is hr and reduced(hr, 64) is hr
    assert np.array_equal(reduced(hr, 32), cv2.resize(hr, (32, 32), interpolation=cv2.INTER_AREA))


@pytest.mark.parametrize(
    ("names", "patients"),
    [(["a/00000013_005.png", "00000013_006.png"], ["00000013"] * 2), (["00000013_005.png", "chest.png"], None)],
)
def test_whose_a_picture_is_stands_in_its_name_or_nowhere(names: list[str], patients: list[str] | None) -> None:
    assert patients_of(names) == patients


def test_an_lpips_network_is_found_beside_the_pictures(tmp_path: Path) -> None:
    (tmp_path / "lpips").mkdir()
    (tmp_path / "lpips" / "lpips_squeeze_v0.1.onnx").touch()
    (tmp_path / "scans").mkdir()
    assert find_lpips(None, tmp_path / "scans") == tmp_path / "lpips" / "lpips_squeeze_v0.1.onnx"
    assert find_lpips(Path("mine.onnx"), tmp_path / "scans") == Path("mine.onnx")


def test_a_panel_shows_every_variant_and_shares_what_is_alike(tiny: Bundle, opened: Opened) -> None:
    network, bicubic = opened(tiny.folder, "bicubic")
    with ExitStack() as stack:
        album = album_of(makers_of([replace(network, precision="int8"), bicubic], stack), phantoms(128, 1))
    first, second = album.panels
    assert set(first.images) == {"lr", "bicubic", "sr", "hr", "float32", "difference"} and first.mean_shift == 0
    assert set(second.images) == {"lr", "bicubic", "sr", "hr"} and second.mean_shift is None
    assert first.images["hr"] == second.images["hr"] and set(album.pictures) >= set(first.images.values())


def test_a_difference_is_magnified_around_the_middle() -> None:
    assert magnified(np.array([[0.0, 1.0, -2.0, 99.0]])).tolist() == [[128, 136, 112, 255]]


def test_the_worst_picture_is_shown_first() -> None:
    pictures = [HrPicture(name, lambda: np.zeros((8, 8), np.uint8)) for name in ("c.png", "b.png", "a.png")]
    assert [picture.name for picture in to_show(pictures, [QUALITY])] == ["a.png", "c.png"]


def test_a_picture_of_an_album_is_stored_once() -> None:
    album = Album()
    assert album.put("x", np.zeros((8, 8), np.uint8)) == album.put("x", np.ones((8, 8), np.uint8)) == "x"
    assert len(album.pictures) == 1
