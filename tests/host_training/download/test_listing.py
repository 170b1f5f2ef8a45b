"""The shipped list, and the faults of one that somebody wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge_sr.errors import EdgeSRError, InputError, IntegrityError, UsageError
from host_training.download.listing import NIH_CHESTXRAY14, parse_numbers, read_listing
from tests.host_training.download.shop import row, write_listing


def test_the_shipped_list_names_the_twelve_archives_and_the_metadata() -> None:
    listing = read_listing(NIH_CHESTXRAY14)
    assert [archive.name for archive in listing.archives] == [f"images_{i:03d}.tar.gz" for i in range(1, 13)]
    assert [file.name for file in listing.files] == ["Data_Entry_2017_v2020.csv"]
    addresses = [url for entry in listing.archives + listing.files for url in entry.urls]
    assert len(set(addresses)) == len(addresses) == 26
    assert all(url.startswith("https://nihcc.") for url in addresses)


def test_the_shipped_list_has_sizes_and_checksums_of_all() -> None:
    listing = read_listing(NIH_CHESTXRAY14)
    assert sum(archive.size or 0 for archive in listing.archives) == 45_079_862_784  # 41.98 GiB, as known of the set
    assert all(entry.has_checksum for entry in listing.archives + listing.files)
    assert len({archive.md5 for archive in listing.archives}) == 12


@pytest.mark.parametrize(
    ("text", "numbers"), [("1", [1]), ("3,1", [3, 1]), ("1, 3 ,5-7", [1, 3, 5, 6, 7]), ("2-2", [2])]
)
def test_numbers(text: str, numbers: list[int]) -> None:
    assert parse_numbers(text) == numbers


@pytest.mark.parametrize("text", ["", "1,", "a", "1-", "-1", "7-5", "1.5", "1;2", "99999"])
def test_numbers_that_cannot_be_read(text: str) -> None:
    with pytest.raises(UsageError):
        parse_numbers(text)


def test_chosen_archives_come_once_in_the_lists_order_with_the_small_files() -> None:
    chosen = read_listing(NIH_CHESTXRAY14).chosen([3, 1, 3])
    assert [entry.name for entry in chosen] == ["Data_Entry_2017_v2020.csv", "images_001.tar.gz", "images_003.tar.gz"]


@pytest.mark.parametrize("number", [0, 13])
def test_a_number_that_is_not_in_the_list(number: int) -> None:
    with pytest.raises(UsageError, match=f"no archive {number}; expected 1 to 12"):
        read_listing(NIH_CHESTXRAY14).chosen([1, number])


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "../evil.tar.gz"},
        {"name": ".hidden.tar.gz"},
        {"name": "a/b.tar.gz"},
        {"name": "pictures.zip"},
        {"urls": []},
        {"urls": "http://a/b"},
        {"urls": ["file:///etc/passwd"]},
        {"urls": ["ftp://a/b"]},
        {"urls": ["http://a/b c"]},
        {"bytes": 0},
        {"bytes": "5"},
        {"bytes": True},
        {"md5": "A" * 32},
        {"md5": "a" * 31},
        {"sha256": "a" * 32},
        {"sha1": "a" * 40},
    ],
)
def test_unfit_entries_are_refused_by_name(tmp_path: Path, changed: dict[str, Any]) -> None:
    listing = write_listing(tmp_path / "list.json", [row("a.tar.gz", b"a", "http://localhost/a") | changed])
    with pytest.raises(IntegrityError, match="archives"):
        read_listing(listing)


def test_unknown_sizes_and_checksums_may_be_null_or_missing(tmp_path: Path) -> None:
    rows = [
        row("a.tar.gz", b"a", "http://localhost/a", bytes=None, md5=None),
        {"name": "b.tgz", "urls": ["http://localhost/b"]},
    ]
    for entry in read_listing(write_listing(tmp_path / "list.json", rows)).archives:
        assert entry.size is None
        assert not entry.has_checksum


def test_a_name_may_stand_once_only(tmp_path: Path) -> None:
    twice = row("a.tar.gz", b"a", "http://localhost/a")
    with pytest.raises(IntegrityError, match="each name once"):
        read_listing(write_listing(tmp_path / "list.json", [twice], [twice]))


@pytest.mark.parametrize("content", ["", "{", "[1]", "null", json.dumps({"schema_version": 2}), "[" * 100_000])
def test_a_file_that_is_no_list(tmp_path: Path, content: str) -> None:
    path = tmp_path / "list.json"
    path.write_text(content)
    with pytest.raises(EdgeSRError, match="list.json") as caught:
        read_listing(path)
    assert isinstance(caught.value, (InputError, IntegrityError))
