"""A folder of pictures, each at five sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from host_training.data.multiscale import sizes_of
from host_training.data.natural import natural_picture
from host_training.multiscale import multiscale_command
from tests.host_training.natural_folders import scene, write_scene


def run(folder: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(multiscale_command, [str(folder), "-o", str(out), "--jobs", "1", *options])


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        ((2040, 1356), {0: (1530, 1017), 1: (1020, 678), 2: (680, 452), 3: (601, 400)}),
        ((1200, 1800), {0: (900, 1350), 1: (600, 900), 2: (400, 600)}),  # a third is 400 already
        ((600, 600), {0: (450, 450), 1: (300, 300), 3: (400, 400)}),  # a third is 200
        ((380, 500), {0: (285, 375)}),  # 400 would be larger
    ],
)
def test_sizes_are_those_of_real_esrgan(picture: tuple[int, int], expected: dict[int, tuple[int, int]]) -> None:
    assert sizes_of(*picture, least=256) == expected


def test_a_picture_becomes_five(tmp_path: Path) -> None:
    write_scene(tmp_path / "in/sub/a.jpg", 0, 500, 640)
    result = run(tmp_path / "in", tmp_path / "out", "--least", "32")
    assert result.exit_code == 0 and "5 files of 1 pictures" in result.output
    written = {path.name: natural_picture(path).shape for path in (tmp_path / "out/sub").iterdir()}
    assert written == {
        "a.jpg": (500, 640, 3), "aT0.png": (375, 480, 3), "aT1.png": (250, 320, 3),
        "aT2.png": (166, 213, 3), "aT3.png": (400, 512, 3),
    }  # fmt: skip
    assert (tmp_path / "out/sub/a.jpg").read_bytes() == (tmp_path / "in/sub/a.jpg").read_bytes()


def test_the_filter_is_lanczos(tmp_path: Path) -> None:
    picture = write_scene(tmp_path / "in/a.png", 0, 500, 640)
    run(tmp_path / "in", tmp_path / "out")
    expected = Image.fromarray(picture).resize((320, 250), Image.Resampling.LANCZOS)
    assert not (tmp_path / "out/aT1.png").exists()  # 250 is below the default of 256
    run(tmp_path / "in", tmp_path / "out", "--least", "250")
    np.testing.assert_array_equal(natural_picture(tmp_path / "out/aT1.png"), np.asarray(expected))


def test_grey_stays_grey(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Image.fromarray(scene(0, 500, 640)[..., 0]).save(tmp_path / "in/a.png")
    run(tmp_path / "in", tmp_path / "out")
    assert natural_picture(tmp_path / "out/aT0.png").ndim == 2


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    write_scene(tmp_path / "in/a.png", 0, 500, 640)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/aT0.png").write_text("mine")
    assert "2 files of 1 pictures, 1 were there" in run(tmp_path / "in", tmp_path / "out").output
    assert (tmp_path / "out/aT0.png").read_text() == "mine"
    assert "0 files of 1 pictures, 3 were there" in run(tmp_path / "in", tmp_path / "out").output


def test_what_cannot_be_read_is_left_out_with_the_reason(tmp_path: Path) -> None:
    write_scene(tmp_path / "in/a.png", 0, 300, 300)
    write_scene(tmp_path / "in/small.png", 0, 100, 300)
    (tmp_path / "in/text.png").write_text("no picture")
    result = run(tmp_path / "in", tmp_path / "out")
    assert result.exit_code == 1 and "left out: 2 pictures" in result.output
    assert "small.png: 300x100 pixels; expected sides of at least 256" in result.output
    assert "text.png: cannot be read" in result.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png"]


def test_two_pictures_of_one_name_do_not_mix(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg", "aT1.png"):
        write_scene(tmp_path / "in" / name, 0, 300, 300)
    result = run(tmp_path / "in", tmp_path / "out")
    assert "a.png: name taken: its sizes would be named as those of a.jpg" in result.output
    assert "aT1.png: named as another size of a.jpg" in result.output


def test_the_folder_cannot_hold_its_own_sizes(tmp_path: Path) -> None:
    write_scene(tmp_path / "in/a.png", 0, 300, 300)
    assert "lies within" in str(run(tmp_path / "in", tmp_path / "in/out").exception)


def test_several_processes_write_the_same(tmp_path: Path) -> None:
    for number in range(3):
        write_scene(tmp_path / f"in/{number}.png", number, 420, 300)
    run(tmp_path / "in", tmp_path / "one", "--least", "32")
    run(tmp_path / "in", tmp_path / "two", "--least", "32", "--jobs", "2")
    one, two = (sorted((tmp_path / name).iterdir()) for name in ("one", "two"))
    assert [path.name for path in one] == [path.name for path in two] and len(one) == 12
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(one, two, strict=True))
