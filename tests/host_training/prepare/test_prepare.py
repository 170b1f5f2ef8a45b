"""``edge-sr-host prepare``: a folder in, a store out."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import resource
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from edge_sr.errors import EdgeSRError, EnvironmentFault, InputError, UsageError
from edge_sr.image.png import write_png
from host_training.data.crops import load_pictures
from host_training.data.protocol import SPLITS, hr_of, lr_of, pictures_of, read_index, split_of
from host_training.data.store import Store, open_store
from host_training.prepare.build import check_room
from host_training.prepare.command import prepare
from host_training.prepare.pictures import Recipe
from host_training.prepare.plan import Plan
from tests.host_training.prepare.films import NIH_HEADER, film, write_films, write_nih, write_unfit


def run(*words: object) -> Result:
    """``edge-sr-host prepare`` in this process, pictures of 256."""
    return CliRunner().invoke(prepare, [*map(str, words), "--side", "256", "--jobs", "1"])


def prepared(*words: object) -> Store:
    """The store that a call of ``run`` with -o OUT at its end writes."""
    result = run(*words)
    assert result.exit_code == 0, result.output
    store = open_store(Path(str(words[-1])))
    assert store is not None
    return store


def fault(*words: object) -> EdgeSRError:
    """The error that a call of ``run`` ends with."""
    error = run(*words).exception
    assert isinstance(error, EdgeSRError), error
    return error


def tree(folder: Path) -> dict[str, str]:
    """sha256 of every file."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def sides(store: Store) -> dict[str, set[str]]:
    """Patient -> the splits that it is in."""
    found: dict[str, set[str]] = {}
    for row in store.listed:
        found.setdefault(row.patient_id, set()).add(row.split)
    return found


def rejected(store: Store) -> dict[str, str]:
    with (store.folder / "rejected.csv").open(newline="", encoding="utf-8") as lines:
        return {row["path"]: row["reason"] for row in csv.DictReader(lines)}


@pytest.fixture(scope="module")
def nih(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 patients with two films each, named as NIH names them."""
    return write_nih(tmp_path_factory.mktemp("nih") / "images", patients=20)


@pytest.fixture(scope="module")
def store(nih: Path) -> Store:
    return prepared(nih, "-o", nih.parent / "store")


def test_no_patient_is_on_two_sides(store: Store) -> None:
    assert all(len(splits) == 1 for splits in sides(store).values())
    assert {split for splits in sides(store).values() for split in splits} == set(SPLITS)
    assert len(sides(store)) == 20 and len(store.listed) == 40


def test_the_split_is_that_of_the_protocol(store: Store) -> None:
    assert {row.patient_id for row in store.listed} == {f"NIH-{number:08}" for number in range(1, 21)}
    assert all(row.split == split_of(row.patient_id) for row in store.listed)


def test_more_files_move_nobody(nih: Path, store: Store, tmp_path: Path) -> None:
    write_films(tmp_path / "more", *(path.name for path in sorted(nih.iterdir())))
    write_films(
        tmp_path / "more", "00000000_000.png", "00000007_900.png", "x/00000099_001.png", "y.png", first_seed=200
    )
    more = prepared(tmp_path / "more", "-o", tmp_path / "store")
    assert len(more.listed) == 44 and all(len(splits) == 1 for splits in sides(more).values())
    assert {patient: sides(more)[patient] for patient in sides(store)} == sides(store)


def test_arrays_follow_the_listing(nih: Path, store: Store) -> None:
    for split in SPLITS:
        pictures, (hr, lr) = store.pictures(split), store.pairs(split)
        rows = store.rows(split)
        assert [row.index for row in rows] == list(range(len(pictures))) and len(hr) == len(lr) == len(rows)
        for row, picture, high, low in zip(rows, pictures, hr, lr, strict=True):
            np.testing.assert_array_equal(picture, cv2.imread(str(nih / row.path), cv2.IMREAD_GRAYSCALE))
            np.testing.assert_array_equal(high, hr_of(nih / row.path))
            np.testing.assert_array_equal(low, lr_of(high))
            assert row.sha256 == hashlib.sha256((nih / row.path).read_bytes()).hexdigest()


def test_a_store_serves_as_data_folder(store: Store, tmp_path: Path) -> None:
    for split in SPLITS:
        listed = pictures_of(store.folder, split)
        assert [(p.path.name, p.source, p.patient_id) for p in listed] == [
            (row.path, "images", row.patient_id) for row in store.rows(split)
        ]
        pictures = load_pictures(store.folder, split, cache_dir=tmp_path / "cache")
        np.testing.assert_array_equal(pictures, store.pictures(split))
    assert len(read_index(store.folder)) == 40
    assert not (tmp_path / "cache").exists()
    with pytest.raises(UsageError, match="no such split: val"):
        pictures_of(store.folder, "val")


@pytest.mark.parametrize(("layout", "degradation"), [("store", "high-order"), ("folders", "area")])
def test_a_second_run_and_two_processes_write_the_same_bytes(
    nih: Path, tmp_path: Path, layout: str, degradation: str
) -> None:
    words = [nih, "--layout", layout, "--degradation", degradation, "-o"]
    prepared(*words, tmp_path / "once")
    prepared(*words, tmp_path / "again")
    parallel = CliRunner().invoke(prepare, [*map(str, words), str(tmp_path / "two"), "--side", "256", "--jobs", "2"])
    assert parallel.exit_code == 0
    assert tree(tmp_path / "once") == tree(tmp_path / "again") == tree(tmp_path / "two")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "once", "two"]  # and nothing is left beside


def test_every_unfit_file_is_listed_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    expected = write_unfit(tmp_path / "films")
    store = prepared(tmp_path / "films", "-o", tmp_path / "store")
    reasons = rejected(store)
    assert reasons.keys() == expected.keys()
    assert {path: reason for path, reason in reasons.items() if not reason.startswith(expected[path])} == {}
    assert [row.path for row in store.listed] == ["fit-a again.png", "fit-b.png"]


def test_the_summary_counts_pictures_patients_and_reasons(tmp_path: Path) -> None:
    write_films(tmp_path / "films", "00000001_000.png", "00000001_001.png", "00000004_000.png")
    for name in ("a.txt", "b.txt"):
        (tmp_path / "films" / name).write_text("normal")
    output = run(tmp_path / "films", "-o", tmp_path / "store").output
    assert f"{tmp_path}/store: 3 pictures of 2 patients" in output
    assert "left out: 2 files, listed in rejected.csv\n        2 not named as a PNG, TIFF or JPEG" in output


def write_table(folder: Path, *rows: str) -> Path:
    (folder / "table.csv").write_text("\n".join([NIH_HEADER, *rows]))
    return folder / "table.csv"


def test_filters_leave_out_what_the_metadata_says(tmp_path: Path) -> None:
    write_films(tmp_path / "films", *(f"{number:08}_000.png" for number in range(1, 6)))
    table = write_table(
        tmp_path,
        "00000001_000.png,No Finding,0,1,58,M,PA,2682,2749,0.143,0.143",
        "00000002_000.png,No Finding,0,2,58,M,AP,2682,2749,0.143,0.143",
        "00000003_000.png,Mass|Effusion,0,3,58,M,PA,2682,2749,0.143,0.143",
        "00000004_000.png,No Finding,0,4,12,M,PA,2682,2749,0.143,0.143",
    )
    words = ["--view", "PA", "--where", "Patient Age>=18", "--exclude-finding", "Effusion"]
    store = prepared(tmp_path / "films", "--metadata", table, *words, "-o", tmp_path / "store")
    assert [(row.path, row.view) for row in store.listed] == [("00000001_000.png", "PA")]
    assert rejected(store) == {
        "00000002_000.png": "filtered by View Position: AP",
        "00000003_000.png": "filtered by Finding Labels: Mass|Effusion",
        "00000004_000.png": "filtered by Patient Age: 12",
        "00000005_000.png": "no row in the metadata",
    }


@pytest.mark.parametrize("words", [("--view", "PA"), ("--where", "a=b"), ("--exclude-finding", "Mass")])
def test_a_filter_needs_metadata(nih: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    assert "needs --metadata" in str(fault(nih, *words, "-o", tmp_path / "store"))


def test_a_filter_on_an_unknown_column_lists_the_known(nih: Path, tmp_path: Path) -> None:
    table = write_table(tmp_path)
    error = fault(nih, "--metadata", table, "--where", "Age>=18", "-o", tmp_path / "store")
    assert "no column 'Age'" in str(error) and "Patient Age, Patient Gender" in str(error)


def test_patients_by_a_column(tmp_path: Path) -> None:
    write_films(tmp_path / "films", "a.png", "b.png", "c.png", "d.png")
    (tmp_path / "table.csv").write_text("file,who\na.png,ann\nb.png,bob\nc.png,ann\nd.png,\n")
    words = ["--metadata", tmp_path / "table.csv", "--file-column", "file", "--patient-column", "who"]
    store = prepared(tmp_path / "films", *words, "--patient-prefix", "A-", "-o", tmp_path / "store")
    assert [row.patient_id for row in store.listed] == ["A-ann", "A-bob", "A-ann"]
    assert rejected(store) == {"d.png": "no patient id in its row of the metadata"}


def test_patients_by_a_pattern_may_be_folders(tmp_path: Path) -> None:
    write_films(tmp_path / "films", "ann/1.png", "ann/2.png", "bob/1.png")
    store = prepared(tmp_path / "films", "--patient-pattern", "^([^/]+)/", "-o", tmp_path / "store")
    assert [row.patient_id for row in store.listed] == ["ann", "ann", "bob"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--patient-pattern", "("), "is no regular expression"),
        (("--patient-pattern", "[0-9]+_"), "has 0 groups"),
        (("--patient-column", "who"), "asks for --metadata and no --patient-pattern"),
        (("--split", "70/20"), "cannot read '70/20'"),
        (("--split", "70/20/20"), "adds up to 110"),
        (("--split", "70/-20/50"), "cannot read"),
    ],
)
def test_options_that_make_no_sense_are_told(nih: Path, tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    error = fault(nih, *words, "-o", tmp_path / "store")
    assert isinstance(error, UsageError) and message in str(error)
    assert list(tmp_path.iterdir()) == []


def test_pictures_of_nobody_known_are_told(tmp_path: Path) -> None:
    write_films(tmp_path / "films", "a.png", "b.png", "00000001_000.png")
    result = run(tmp_path / "films", "-o", tmp_path / "store")
    assert "warning: 2 of 3 pictures have no patient id, such as a.png" in result.stderr
    assert "--patient-pattern REGEX" in result.stderr


def test_a_picture_of_nobody_known_stays_when_it_is_renamed(tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(20)]
    write_films(tmp_path / "films", *names)
    write_films(tmp_path / "renamed", *(f"film-{name}" for name in names))
    one, other = (prepared(tmp_path / name, "-o", tmp_path / f"{name}-store") for name in ("films", "renamed"))
    assert sides(one) == sides(other) and len(sides(one)) == 20


def test_of_two_equal_pictures_the_one_with_a_patient_stays(tmp_path: Path) -> None:
    write_films(tmp_path / "films", "00000001_000.png", "00000001_001.png")
    write_png(tmp_path / "films" / "0 copy.png", film(0), text={})
    store = prepared(tmp_path / "films", "-o", tmp_path / "store")
    assert [row.path for row in store.listed] == ["00000001_000.png", "00000001_001.png"]
    assert rejected(store) == {"0 copy.png": "duplicate: the same pixels as 00000001_000.png"}


def test_other_shares(nih: Path, tmp_path: Path) -> None:
    store = prepared(nih, "--split", "0/0/100", "-o", tmp_path / "store")
    assert dict(store.counts) == {"train": 0, "validation": 0, "test": 40}
    assert store.pictures("train").shape == (0, 256, 256) and store.pairs("train")[1].shape == (0, 64, 64)
    with pytest.raises(EnvironmentFault, match="its train split is empty"):
        load_pictures(store.folder, "train", cache_dir=tmp_path)


def test_folders_as_published(nih: Path, store: Store, tmp_path: Path) -> None:
    folders = prepared(nih, "--layout", "folders", "-o", tmp_path / "pairs")
    for row in folders.listed:
        for kind, pixels in zip(
            ("HR_256", "LR_64"), (array[row.index] for array in store.pairs(row.split)), strict=True
        ):
            written = cv2.imread(str(tmp_path / "pairs" / row.split / kind / row.path), cv2.IMREAD_UNCHANGED)
            np.testing.assert_array_equal(written, pixels)
    for split in SPLITS:
        for one, other in zip(folders.pairs(split), store.pairs(split), strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(load_pictures(folders.folder, split, cache_dir=tmp_path), store.pairs(split)[0])
        assert all(picture.path.is_file() for picture in pictures_of(folders.folder, split))


def test_two_files_for_one_name_are_told(tmp_path: Path) -> None:
    write_films(tmp_path / "films", "x/a.png", "y/a.png")
    store = prepared(tmp_path / "films", "--layout", "folders", "-o", tmp_path / "pairs")
    assert rejected(store) == {"y/a.png": "name taken: a.png is made of x/a.png"}


def test_an_existing_folder_is_replaced_only_when_asked_and_only_a_store(nih: Path, tmp_path: Path) -> None:
    films = write_films(tmp_path / "films", "a.png")
    out = tmp_path / "store"
    assert len(prepared(films, "-o", out).listed) == 1
    assert "exists already" in str(fault(nih, "-o", out))
    assert len(prepared(nih, "--overwrite", "-o", out).listed) == 40
    (tmp_path / "mine").mkdir()
    assert "is no prepared store, so it is not replaced" in str(fault(nih, "--overwrite", "-o", tmp_path / "mine"))


@pytest.mark.parametrize("out", ["films/store", "films", "."])
def test_the_store_and_its_source_stay_apart(tmp_path: Path, out: str) -> None:
    write_films(tmp_path / "films", "a.png")
    error = fault(tmp_path / "films", "--overwrite", "-o", tmp_path / out)
    assert "lie one within the other" in str(error)
    assert [path.name for path in tmp_path.rglob("*")] == ["films", "a.png"]


def test_a_target_below_a_file_is_told(nih: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    error = fault(nih, "-o", tmp_path / "file" / "store")
    assert isinstance(error, UsageError) and "is a file or lies below one" in str(error)


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(nih: Path, tmp_path: Path) -> None:
    plan = Plan(nih, Recipe("area", 512, 0), "store", "nih", (70, 20, 10), {})
    check_room(plan, 10, tmp_path)
    with pytest.raises(EnvironmentFault, match=r"GB are needed and .* are free(.|\n)*--side 256"):
        check_room(plan, 10**9, tmp_path)


def test_a_full_disk_is_told(nih: Path, tmp_path: Path) -> None:
    """Linux answers a write beyond a file size limit as it does one to a full disk."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limit[1]))
    try:
        error = fault(nih, "-o", tmp_path / "store")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert isinstance(error, EnvironmentFault) and "no space to write pictures-train.npy" in str(error)
    assert not (tmp_path / "store").exists()
    prepared(nih, "-o", tmp_path / "store")


def test_a_folder_without_a_fit_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "a.txt").write_text("normal")
    (tmp_path / "films" / "b.png").write_text("normal")
    error = fault(tmp_path / "films", "-o", tmp_path / "store")
    assert isinstance(error, InputError)
    assert "no picture that can be used: 1 x is not a picture that can be read, 1 x not named" in str(error)
    assert not (tmp_path / "store").exists()


def test_a_dry_run_says_the_same_and_writes_no_store(nih: Path, tmp_path: Path) -> None:
    said = run(nih, "--dry-run", "-o", tmp_path / "store").output
    assert not (tmp_path / "store").exists()
    assert said.replace("nothing written", str(tmp_path / "store")) == run(nih, "-o", tmp_path / "store").output


def test_the_record_is_printed_as_json(nih: Path, tmp_path: Path) -> None:
    result = run(nih, "--json", "-o", tmp_path / "store")
    assert json.loads(result.stdout) == json.loads((tmp_path / "store" / "store.json").read_text())


@pytest.mark.skipif("EDGE_SR_DATA" not in os.environ, reason="EDGE_SR_DATA names no data folder")
def test_the_real_folder_keeps_its_split(tmp_path: Path) -> None:
    data_dir = Path(os.environ["EDGE_SR_DATA"])
    (tmp_path / "few").mkdir()
    for path in sorted((data_dir / "nih").iterdir())[::100]:
        (tmp_path / "few" / path.name).symlink_to(path)
    store = prepared(tmp_path / "few", "-o", tmp_path / "store")
    for split in SPLITS:
        expected = {p.path.name: p.patient_id for p in pictures_of(data_dir, split)}
        assert {row.path: row.patient_id for row in store.rows(split)}.items() <= expected.items()
