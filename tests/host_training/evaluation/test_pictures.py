from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sr.errors import EnvironmentFault
from host_training.data.protocol import split_of
from host_training.evaluation.pictures import BATCH, PictureSet, batches, read_set, to_eight_bits
from tests.host_training.evaluation.toy_data import write_toy_data


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_data(tmp_path_factory.mktemp("toy"), test=3, validation=2)


def test_a_set_holds_its_split_alone(toy: Path) -> None:
    assert {split_of(patient) for patient in read_set(toy, "nih-test").patients} == {"test"}
    assert {split_of(patient) for patient in read_set(toy, "nih-validation").patients} == {"validation"}


def test_a_limit_takes_fewer_and_leaves_the_splits_hash(toy: Path) -> None:
    whole, part = read_set(toy, "nih-test"), read_set(toy, "nih-test", limit=2)
    assert (len(whole), len(part)) == (3, 2)
    assert whole.split_sha256 == part.split_sha256 != read_set(toy, "nih-validation").split_sha256


def test_a_set_that_is_not_there_is_a_fault(toy: Path) -> None:
    with pytest.raises(EnvironmentFault, match="hannover"):
        read_set(toy, "hannover")


def test_batches_hold_every_picture_once_beside_the_lr_of_the_one_before() -> None:
    count = BATCH + 3
    hr = np.repeat(np.arange(count, dtype=np.uint8), 256 * 256).reshape(count, 256, 256)
    names = tuple(map(str, range(count)))
    cut = list(batches(PictureSet("x", names, names, hr, hr[:, :64, :64], "")))
    assert [len(batch.lr) for batch in cut] == [BATCH, 3]
    other = np.concatenate([batch.other_lr for batch in cut])[:, 0, 0, 0] * 255
    np.testing.assert_allclose(other, [count - 1, *range(count - 1)], atol=1e-4)


def test_rounding_is_the_products() -> None:
    sr = np.array([0.0, 0.4, 0.6, 254.7, 300.0], np.float32).reshape(1, 1, 1, 5) / 255
    assert to_eight_bits(sr).tolist() == [[[0, 0, 1, 255, 255]]]
