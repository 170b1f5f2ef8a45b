"""A prepared store is what its record says, or it is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge_sr.errors import IntegrityError, UsageError
from host_training.data.store import Store, open_store
from host_training.prepare.command import prepare
from tests.host_training.prepare.films import write_nih


def prepared(folder: Path, layout: str) -> Store:
    films = write_nih(folder / "films", patients=5)
    words = [films, "-o", folder / "store", "--side", "256", "--jobs", "1", "--layout", layout, "--split", "0/0/100"]
    assert CliRunner().invoke(prepare, [str(word) for word in words]).exit_code == 0
    store = open_store(folder / "store")
    assert store is not None
    return store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return prepared(tmp_path, "store")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)


def test_another_folder_is_no_store(tmp_path: Path) -> None:
    assert open_store(tmp_path) is None


@pytest.mark.parametrize("name", ["pictures-test.npy", "hr-test.npy", "lr-test.npy"])
def test_a_changed_array_is_found_where_it_is_used(store: Store, name: str) -> None:
    flip(store.folder / name)
    again = open_store(store.folder)
    assert again is not None and again.pictures("train").shape == (0, 256, 256)
    with pytest.raises(IntegrityError, match=f"{name}: was changed"):
        again.pictures("test") if name.startswith("pictures") else again.pairs("test")


def test_a_changed_listing_is_refused(store: Store) -> None:
    listing = store.listing()
    listing.write_text(listing.read_text().replace("NIH-00000001", "NIH-00000002"))
    with pytest.raises(IntegrityError, match=r"MANIFEST\.csv: was changed"):
        open_store(store.folder)


@pytest.mark.parametrize("name", ["MANIFEST.csv", "hr-test.npy"])
def test_a_missing_file_is_named(store: Store, name: str) -> None:
    (store.folder / name).unlink()
    with pytest.raises(IntegrityError, match=rf"{name}: is missing(.|\n)*edge-sr-host prepare"):
        again = open_store(store.folder)
        assert again is not None
        again.pairs("test")


def no_object(record: dict[str, object]) -> None:
    record["pictures"] = 7


def newer(record: dict[str, object]) -> None:
    record["schema_version"] = 2


def other_layout(record: dict[str, object]) -> None:
    record["layout"] = "tar"


def no_number(record: dict[str, object]) -> None:
    record["pictures"] = {"test": "many"}


@pytest.mark.parametrize("change", [no_object, newer, other_layout, no_number])
def test_an_unfit_record_is_refused(store: Store, change: Callable[[dict[str, object]], None]) -> None:
    record = json.loads((store.folder / "store.json").read_text())
    change(record)
    (store.folder / "store.json").write_text(json.dumps(record))
    with pytest.raises(IntegrityError, match=r"store\.json: (pictures|schema_version|layout)"):
        open_store(store.folder)


def test_an_array_of_another_shape_is_refused(store: Store) -> None:
    record = json.loads((store.folder / "store.json").read_text())
    record["side"] = 512
    (store.folder / "store.json").write_text(json.dumps(record))
    again = open_store(store.folder)
    assert again is not None
    with pytest.raises(IntegrityError, match=r"holds uint8\[10, 256, 256\]; expected uint8\[10, 512, 512\]"):
        again.pictures("test")


def test_an_unknown_split_lists_the_known(store: Store) -> None:
    for read in (store.rows, store.pictures, store.pairs):
        with pytest.raises(UsageError, match="no such split: val; expected train, validation, test"):
            read("val")


def test_arrays_are_mapped_and_closed_to_writing(store: Store) -> None:
    pictures = store.pictures("test")
    assert isinstance(pictures.base, np.memmap) and not pictures.flags.writeable


@pytest.mark.parametrize("folder", ["HR_256", "LR_64"])
def test_a_changed_file_of_a_pair_is_found(tmp_path: Path, folder: str) -> None:
    store = prepared(tmp_path, "folders")
    path = store.folder / "test" / folder / store.rows("test")[3].name
    whole = path.read_bytes()
    flip(path)
    with pytest.raises(IntegrityError, match=rf"{path.name}: was changed"):
        store.pairs("test")
    path.write_bytes(whole)
    store.pairs("test")
    path.unlink()
    with pytest.raises(IntegrityError, match=rf"{path.name}: is missing"):
        store.pairs("test")
