from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sr.errors import EnvironmentFault, InputError, UsageError
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.png import write_png
from host_training.data.protocol import hr_of, lr_of, split_of
from host_training.evaluation.pictures import area_pair, fitting_set, read_set, stored_side
from tests.host_training.evaluation.toy_data import write_toy_data


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_data(tmp_path_factory.mktemp("toy"), test=3, validation=2, side=320)


def test_a_set_holds_its_split_alone(toy: Path) -> None:
    assert {split_of(patient) for patient in read_set(toy, "nih-test").patients} == {"test"}
    assert {split_of(patient) for patient in read_set(toy, "nih-validation").patients} == {"validation"}


def test_a_limit_takes_fewer_and_leaves_the_splits_hash(toy: Path) -> None:
    whole, part = read_set(toy, "nih-test"), read_set(toy, "nih-test", limit=2)
    assert (len(whole), len(part)) == (3, 2)
    assert whole.split_sha256 == part.split_sha256 != read_set(toy, "nih-validation").split_sha256


def test_at_256_a_sample_is_what_the_protocol_says(toy: Path) -> None:
    pictures = read_set(toy, "nih-test")
    sample = pictures.sample(1, 256)
    hr = hr_of(toy / pictures.ids[1])
    np.testing.assert_array_equal(sample.hr, hr)
    np.testing.assert_array_equal(sample.lr, lr_of(hr))


def test_at_another_side_hr_is_reduced_less_and_lr_follows(toy: Path) -> None:
    sample = read_set(toy, "nih-test").sample(0, 300)
    assert (sample.hr.shape, sample.lr.shape) == ((300, 300), (75, 75))
    np.testing.assert_array_equal(sample.lr, lr_of(sample.hr))


def test_the_stored_picture_is_the_finest_hr(toy: Path) -> None:
    pictures = read_set(toy, "nih-test")
    assert pictures.side == 320
    np.testing.assert_array_equal(pictures.sample(0, 320).hr, chest_phantom(320, seed=0))


def test_another_pictures_lr_is_that_of_the_one_before(toy: Path) -> None:
    pictures = read_set(toy, "nih-test")
    np.testing.assert_array_equal(pictures.sample(1, 256).other_lr, pictures.sample(0, 256).lr)
    np.testing.assert_array_equal(pictures.sample(0, 256).other_lr, pictures.sample(2, 256).lr)


def test_fitting_looks_at_the_validation_split_whatever_is_measured(toy: Path) -> None:
    fitted = fitting_set(toy, "hannover")
    assert fitted is not None
    assert fitted.ids == read_set(toy, "nih-validation").ids


def test_a_set_that_is_not_there_is_a_fault(toy: Path) -> None:
    with pytest.raises(EnvironmentFault, match="hannover"):
        read_set(toy, "hannover")


def test_a_named_set_needs_the_data_folder() -> None:
    with pytest.raises(UsageError, match="EDGE_SR_DATA"):
        read_set(None, "nih-test")


@pytest.mark.parametrize("word", ["nih-tset", "."])
def test_what_is_neither_a_set_nor_a_store_is_refused(toy: Path, word: str) -> None:
    with pytest.raises(UsageError, match=r"nih-test, nih-validation, hannover or a folder"):
        read_set(toy, word)


@pytest.mark.parametrize(("content", "reason"), [(b"no picture", "cannot be decoded"), (None, "200 pixels")])
def test_a_picture_that_will_not_do_is_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "a.png"
    if content is None:
        write_png(path, np.zeros((300, 200), np.uint8), text={})
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match=reason):
        stored_side(path)


def test_a_pair_obeys_the_degradation() -> None:
    hr, lr = area_pair(chest_phantom(300), 256)
    assert hr.shape == (256, 256)
    np.testing.assert_array_equal(lr, lr_of(hr))
