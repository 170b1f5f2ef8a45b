"""One file: is it fit, and what is kept of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_sr.errors import InputError
from edge_sr.image.png import write_png
from host_training.data.degradations import DEGRADATIONS
from host_training.data.protocol import hr_of, lr_of
from host_training.prepare.pictures import Made, Recipe, centre_square, eight_bit, judge, make, reason
from tests.host_training.prepare.films import film

AREA = Recipe("area", side=256, seed=0)
LARGE = np.kron(film(3), np.ones((4, 4), np.uint8)) ^ np.random.default_rng(0).integers(0, 8, (1024, 1024), np.uint8)


def made(path: Path, recipe: Recipe) -> Made:
    return make(path, recipe, sha256=judge(path, recipe).sha256)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """1024x1024, as NIH's originals."""
    write_png(tmp_path / "large.png", LARGE, text={})
    return tmp_path / "large.png"


def test_area_pairs_are_those_of_the_protocol(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", film(0, size=512), text={})
    kept = made(tmp_path / "a.png", replace(AREA, side=512))
    np.testing.assert_array_equal(kept.pictures, film(0, size=512))
    np.testing.assert_array_equal(kept.hr, hr_of(tmp_path / "a.png"))
    np.testing.assert_array_equal(kept.lr, lr_of(kept.hr))


@pytest.mark.parametrize("side", [256, 512])
def test_the_published_pairs_come_straight_from_the_original(large: Path, side: int) -> None:
    kept, original = made(large, Recipe("cubic", side, seed=0)), LARGE
    np.testing.assert_array_equal(kept.hr, cv2.resize(original, (256, 256), interpolation=cv2.INTER_CUBIC))
    np.testing.assert_array_equal(kept.lr, cv2.resize(original, (64, 64), interpolation=cv2.INTER_CUBIC))
    assert kept.pictures.shape == (side, side)


def test_cubic_from_hr_comes_from_hr(large: Path) -> None:
    kept = made(large, Recipe("cubic-from-hr", 512, seed=0))
    np.testing.assert_array_equal(kept.hr, made(large, Recipe("cubic", 512, seed=0)).hr)
    np.testing.assert_array_equal(kept.lr, cv2.resize(kept.hr, (64, 64), interpolation=cv2.INTER_CUBIC))


def test_a_random_degradation_depends_on_the_file_and_the_seed(tmp_path: Path, large: Path) -> None:
    write_png(tmp_path / "renamed.png", LARGE, text={})
    once, again, other = (
        made(path, Recipe("high-order", 512, seed)).lr
        for path, seed in ((large, 0), (tmp_path / "renamed.png", 0), (large, 1))
    )
    np.testing.assert_array_equal(once, again)
    assert (once != other).any()


@pytest.mark.parametrize("degradation", DEGRADATIONS)
def test_everything_kept_is_eight_bit_and_of_its_size(large: Path, degradation: str) -> None:
    kept = made(large, Recipe(degradation, 512, seed=0))
    shapes = [(picture.shape, picture.dtype) for picture in (kept.pictures, kept.hr, kept.lr)]
    assert shapes == [((side, side), np.uint8) for side in (512, 256, 64)]


@pytest.mark.parametrize(("shape", "rows", "columns"), [((4, 7), (0, 4), (1, 5)), ((9, 4), (2, 6), (0, 4))])
def test_the_square_is_in_the_middle(shape: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]) -> None:
    pixels = np.arange(shape[0] * shape[1]).reshape(shape)
    np.testing.assert_array_equal(centre_square(pixels), pixels[slice(*rows), slice(*columns)])


def test_a_film_that_is_not_square_is_cropped_not_squashed(tmp_path: Path) -> None:
    wide = np.pad(film(0), ((0, 0), (40, 40)))
    write_png(tmp_path / "wide.png", wide, text={})
    np.testing.assert_array_equal(made(tmp_path / "wide.png", AREA).pictures, film(0))
    reading = judge(tmp_path / "wide.png", AREA)
    assert (reading.width, reading.height) == (336, 256)


def test_sixteen_bits_are_scaled_by_the_declared_range() -> None:
    pixels = np.array([[0, 128, 129, 32767], [32768, 60000, 65407, 65535]], np.uint16)
    np.testing.assert_array_equal(eight_bit(pixels), np.rint(pixels / 257).astype(np.uint8))


def test_sixteen_bits_keep_their_exposure(tmp_path: Path) -> None:
    dim = film(0, bit_depth=16) // 2  # uses half of its range, and stays half as bright
    write_png(tmp_path / "dim.png", dim, text={})
    assert made(tmp_path / "dim.png", AREA).pictures.max() in (127, 128)
    assert judge(tmp_path / "dim.png", AREA).note == "16 bit scaled to 8 from 0..65535"


def test_twelve_bits_in_a_sixteen_bit_file_want_a_word(tmp_path: Path) -> None:
    twelve = film(0, bit_depth=16) >> 4
    write_png(tmp_path / "twelve.png", twelve, text={})
    with pytest.raises(InputError, match=f"range not declared: 16 bit, but nothing above {twelve.max()}"):
        judge(tmp_path / "twelve.png", AREA)
    declared = replace(AREA, white=4095)
    np.testing.assert_array_equal(made(tmp_path / "twelve.png", declared).pictures, np.rint(twelve / (4095 / 255)))
    assert judge(tmp_path / "twelve.png", declared).note == "16 bit scaled to 8 from 0..4095"


def test_what_is_brighter_than_white_is_not_clipped_in_silence() -> None:
    with pytest.raises(InputError, match="beyond white: holds 5000; expected 0 to 4095"):
        eight_bit(np.full((4, 4), 5000, np.uint16), 4095)


@pytest.mark.parametrize(("spread", "fit"), [(0, False), (1, False), (3, True)])
def test_a_blank_film_is_no_picture(tmp_path: Path, spread: int, fit: bool) -> None:
    noise = 100 + spread * np.random.default_rng(0).standard_normal((256, 256))
    write_png(tmp_path / "blank.png", np.rint(noise).astype(np.uint8), text={})
    if fit:
        judge(tmp_path / "blank.png", AREA)
    else:
        with pytest.raises(InputError, match="flat: its standard deviation"):
            judge(tmp_path / "blank.png", AREA)


def test_a_file_that_changes_between_the_passes_is_told(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", film(0), text={})
    reading = judge(tmp_path / "a.png", AREA)
    write_png(tmp_path / "a.png", film(1), text={}, overwrite=True)
    with pytest.raises(InputError, match=r"a\.png: was changed while it was prepared(.|\n)*the same command again"):
        make(tmp_path / "a.png", AREA, sha256=reading.sha256)


def test_a_reason_holds_nothing_that_differs_between_runs() -> None:
    assert reason(InputError("cannot read <_io.BytesIO object at 0x7f12ab>\n twice")) == (
        "cannot read <_io.BytesIO object> twice"
    )
