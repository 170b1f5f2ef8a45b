"""``edge-sr-host download`` from the command line to the pictures on the disk."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edge_sr.cli.exit_codes import DONE, ENVIRONMENT, INTEGRITY, INTERRUPTED, SOME_INPUTS_FAILED, USAGE
from edge_sr.cli.lazy_group import LazyGroup
from tests.host_training.download.shop import Fault, Shop, packed, pictures, row, write_listing

METADATA = b"Image Index,View Position\n00000001_000.png,PA\n"
FILES = [pictures(10 * number, 4) for number in (1, 2, 3)]
ARCHIVES = [packed(files) for files in FILES]
NAMES = [f"images_00{number}.tar.gz" for number in (1, 2, 3)]


# SIGINT is set anew, since a test run in the background of a shell has it ignored.
IN_A_PROCESS = """
import signal, sys
from edge_sr.cli.exit_codes import guarded
from host_training.download.command import download
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(guarded(lambda: download(sys.argv[2:], standalone_mode=False)))
"""


class Desk:
    """A user's folder with a list in it, and the command."""

    def __init__(self, shop: Shop, folder: Path) -> None:
        self.shop, self.folder, self.out = shop, folder, folder / "out"
        for name, content in zip(NAMES, ARCHIVES, strict=True):
            shop.offer(f"/{name}", content)
        shop.offer("/meta.csv", METADATA, content_type="text/csv")
        self.list()

    def list(self, **changed: Any) -> None:
        """Write the list; ``changed`` goes for all archives."""
        rows = [row(name, self.shop.offers[f"/{name}"].content, self.shop.url(f"/{name}")) for name in NAMES]
        files = [row("meta.csv", METADATA, self.shop.url("/meta.csv"))]
        write_listing(self.folder / "list.json", [archive | changed for archive in rows], files)

    def words(self, *words: str) -> list[str]:
        return ["download", "--from", "list.json", "--out", "out", "--retries", "2", "--retry-wait", "0", *words]

    def download(self, *words: str) -> Result:
        self.shop.requests.clear()
        group = LazyGroup(
            "edge-sr-host", table={"download": ("host_training.download.command:download", "")}, needs="", help="",
            epilog="",
        )  # fmt: skip
        return CliRunner().invoke(group, self.words(*words))

    @property
    def asked(self) -> list[str]:
        return [request.path for request in self.shop.requests]

    def pictures(self) -> dict[str, bytes]:
        return {f"images/{path.name}": path.read_bytes() for path in (self.out / "images").glob("*")}

    def workshop(self) -> list[str]:
        return sorted(path.name for path in (self.out / "archives").iterdir() if path.name != ".lock")


@pytest.fixture
def desk(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    return Desk(shop, tmp_path)


def test_the_first_archive_and_the_metadata(desk: Desk) -> None:
    result = desk.download("--first", "1")
    assert result.exit_code == DONE, result.output
    assert result.stdout == "meta.csv: fetched\nimages_001.tar.gz: 4 files unpacked\n"
    assert "Phantoms, from http://localhost/" in result.stderr
    assert desk.pictures() == FILES[0]
    assert (desk.out / "meta.csv").read_bytes() == METADATA
    assert desk.workshop() == ["images_001.tar.gz.receipt.json", "meta.csv.receipt.json"]


def test_the_receipt_says_what_came(desk: Desk) -> None:
    desk.download("--first", "1")
    receipt = json.loads((desk.out / "archives/images_001.tar.gz.receipt.json").read_bytes())
    assert receipt["size"] == len(ARCHIVES[0])
    assert len(receipt["sha256"]) == 64
    assert sorted(receipt["members"]) == sorted(FILES[0])


def test_what_is_there_is_not_asked_for_again(desk: Desk) -> None:
    desk.download("--only", "1,3")
    assert desk.pictures() == FILES[0] | FILES[2]
    result = desk.download("--all")
    assert result.stdout.splitlines()[1:] == [
        "images_001.tar.gz: there already",
        "images_002.tar.gz: 4 files unpacked",
        "images_003.tar.gz: there already",
    ]
    assert desk.asked == ["/images_002.tar.gz"]


def test_a_picture_that_has_gone_comes_back(desk: Desk) -> None:
    desk.download("--first", "1")
    (desk.out / next(iter(FILES[0]))).unlink()
    assert "1 files unpacked, 3 there already" in desk.download("--first", "1").stdout
    assert desk.pictures() == FILES[0]


def test_archives_can_be_kept(desk: Desk) -> None:
    desk.download("--first", "1", "--keep-archives")
    assert (desk.out / "archives/images_001.tar.gz").read_bytes() == ARCHIVES[0]
    (desk.out / next(iter(FILES[0]))).unlink()
    desk.download("--first", "1", "--keep-archives")
    assert not desk.asked
    assert desk.pictures() == FILES[0]


def test_an_archive_that_was_put_there_by_hand_is_taken(desk: Desk) -> None:
    (desk.out / "archives").mkdir(parents=True)
    (desk.out / "archives/images_001.tar.gz").write_bytes(ARCHIVES[0])
    desk.download("--first", "1")
    assert desk.asked == ["/meta.csv"]
    assert desk.pictures() == FILES[0]


def test_dry_run_tells_and_touches_nothing(desk: Desk) -> None:
    result = desk.download("--dry-run")
    assert result.exit_code == DONE
    for words in (*NAMES, "meta.csv", "comes whole", "to fetch:", "free", "127.0.0.1"):
        assert words in result.stdout
    assert not desk.asked
    assert not desk.out.exists()


def test_dry_run_tells_what_is_there(desk: Desk) -> None:
    desk.download("--first", "1", "--keep-archives")
    (desk.out / next(iter(FILES[0]))).unlink()
    desk.shop.offers["/images_002.tar.gz"].faults = [Fault(cut_after=2000)] * 9
    desk.download("--only", "2", "--retries", "0")
    lines = desk.download("--dry-run", "--first", "3").stdout.splitlines()
    assert "there already" in lines[1]
    assert "fetched, not yet unpacked" in lines[2]
    assert "goes on from 2.0 KiB" in lines[3]
    assert "comes whole" in lines[4]


def test_dry_run_of_more_than_the_disk_holds(desk: Desk) -> None:
    desk.list(bytes=1 << 43)
    result = desk.download("--dry-run")
    assert result.exit_code == DONE
    assert "NOT ENOUGH" in result.stdout


def test_more_than_the_disk_holds_is_not_begun(desk: Desk) -> None:
    desk.list(bytes=1 << 43)
    result = desk.download("--first", "2")
    assert result.exit_code == ENVIRONMENT
    assert "this choice needs" in result.stderr
    assert not desk.asked


def test_a_wrong_checksum_keeps_the_archive_aside_and_the_folder_clean(desk: Desk) -> None:
    good = desk.shop.offers["/images_001.tar.gz"].content
    desk.shop.offer("/images_001.tar.gz", good[:-1] + b"?", etag='"spoilt"')
    result = desk.download("--first", "2")
    assert result.exit_code == INTEGRITY
    assert "its md5 is" in result.stderr
    assert "kept as images_001.tar.gz.damaged" in result.stderr
    assert desk.pictures() == FILES[1], "the other archive comes all the same"
    assert (desk.out / "archives/images_001.tar.gz.damaged").read_bytes() == good[:-1] + b"?"
    desk.shop.offer("/images_001.tar.gz", good)
    assert desk.download("--first", "2").exit_code == DONE
    assert desk.pictures() == FILES[0] | FILES[1]


def test_without_a_listed_checksum_the_first_download_is_the_measure(desk: Desk) -> None:
    desk.list(md5=None, bytes=None)
    desk.download("--first", "1")
    (desk.out / next(iter(FILES[0]))).unlink()
    desk.shop.offer("/images_001.tar.gz", packed(pictures(50, 4)))
    result = desk.download("--first", "1")
    assert result.exit_code == INTEGRITY
    assert "as when it first came" in result.stderr
    assert len(desk.pictures()) == 3
    (desk.out / "archives/images_001.tar.gz.receipt.json").unlink()  # what the error says to do
    assert desk.download("--first", "1").exit_code == DONE
    assert len(desk.pictures()) == 7


@pytest.mark.parametrize(
    "content",
    [ARCHIVES[0][:-100], b"not gzip" * 100, gzip.compress(bytes(10240))],
    ids=["cut short", "no gzip", "no tar"],
)
def test_an_archive_damaged_at_its_source_unpacks_nothing(desk: Desk, content: bytes) -> None:
    desk.shop.offer("/images_001.tar.gz", content)
    desk.list()
    result = desk.download("--first", "1")
    assert result.exit_code == INTEGRITY
    assert "Traceback" not in result.output
    assert not (desk.out / "images").exists()
    assert "images_001.tar.gz.damaged" in desk.workshop()


def test_a_hostile_archive_with_the_right_checksum_writes_nothing(desk: Desk) -> None:
    desk.shop.offer("/images_001.tar.gz", packed({**FILES[0], "../evil.png": b"evil"}))
    desk.list()
    result = desk.download("--first", "1")
    assert result.exit_code == INTEGRITY
    assert "'../evil.png'" in result.stderr
    assert not list(desk.folder.rglob("*.png"))


def test_one_archive_that_is_gone_does_not_keep_the_others_away(desk: Desk) -> None:
    del desk.shop.offers["/images_001.tar.gz"]
    result = desk.download("--all")
    assert result.exit_code == SOME_INPUTS_FAILED
    assert "404" in result.stderr
    assert desk.pictures() == FILES[1] | FILES[2]


def test_files_of_the_user_stay_and_the_archive_waits(desk: Desk) -> None:
    mine = desk.out / next(iter(FILES[0]))
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    result = desk.download("--first", "1")
    assert result.exit_code == SOME_INPUTS_FAILED
    assert str(mine.relative_to(desk.folder)) in result.stderr
    assert mine.read_bytes() == b"mine"
    mine.rename(desk.folder / "mine.png")
    assert desk.download("--first", "1").exit_code == DONE
    assert not desk.asked
    assert desk.pictures() == FILES[0]


def test_metadata_that_was_put_there_by_hand_is_checked(desk: Desk) -> None:
    desk.out.mkdir()
    (desk.out / "meta.csv").write_bytes(METADATA)
    assert "meta.csv: there already, checked" in desk.download("--first", "1").stdout
    assert desk.asked == ["/images_001.tar.gz"]


def test_other_metadata_of_that_name_stays(desk: Desk) -> None:
    desk.out.mkdir()
    (desk.out / "meta.csv").write_bytes(b"mine")
    result = desk.download("--first", "1")
    assert result.exit_code == SOME_INPUTS_FAILED
    assert "there already: it has 4 bytes" in result.stderr
    assert (desk.out / "meta.csv").read_bytes() == b"mine"
    assert desk.pictures() == FILES[0]


def test_a_receipt_of_another_list_stops_the_download(desk: Desk) -> None:
    desk.download("--first", "1")
    desk.list(md5="0" * 32)
    result = desk.download("--first", "1")
    assert result.exit_code == INTEGRITY
    assert "another images_001.tar.gz came before" in result.stderr


def test_a_receipt_that_cannot_be_read(desk: Desk) -> None:
    desk.download("--first", "1")
    (desk.out / "archives/images_001.tar.gz.receipt.json").write_bytes(b"{")
    result = desk.download("--first", "1")
    assert result.exit_code == INTEGRITY
    assert "try: rm out/archives/images_001.tar.gz.receipt.json" in result.stderr


def test_two_downloads_do_not_share_a_folder(desk: Desk) -> None:
    (desk.out / "archives").mkdir(parents=True)
    with (desk.out / "archives/.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = desk.download("--first", "1")
    assert result.exit_code == ENVIRONMENT
    assert "another download works in this folder" in result.stderr


def test_a_folder_that_cannot_be_made(desk: Desk) -> None:
    (desk.folder / "file").write_bytes(b"")
    result = desk.download("--first", "1", "--out", "file/out")
    assert result.exit_code == ENVIRONMENT
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no archives chosen"),
        (["--first", "1", "--only", "1"], "more than one choice"),
        (["--all", "--only", "1"], "more than one choice"),
        (["--only", "4"], "no archive 4; expected 1 to 3"),
        (["--first", "4"], "no archive 4; expected 1 to 3"),
        (["--only", "x"], "cannot read 'x'"),
        (["--first", "0"], "--first"),
        (["--first", "1", "--from", "nothing.json"], "nothing.json"),
        (["--first", "1", "--out", "list.json"], "list.json"),
    ],
)
def test_impossible_command_lines(desk: Desk, words: list[str], message: str) -> None:
    result = desk.download(*words)
    assert result.exit_code == USAGE
    assert message in result.stderr
    assert not desk.asked


def test_an_interrupted_download_goes_on(desk: Desk) -> None:
    """Ctrl-C in the middle of an archive, in a process of its own."""
    content = os.urandom(1 << 20)
    archive = packed({"images/00000001_000.png": content})
    desk.shop.offer("/images_001.tar.gz", archive, pause_s=0.02)
    desk.list()
    process = subprocess.Popen(
        [sys.executable, "-c", IN_A_PROCESS, *desk.words("--first", "1")],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        stderr=subprocess.PIPE,
        text=True,
    )
    part = desk.out / "archives/images_001.tar.gz.part"
    deadline = time.monotonic() + 30
    while not (part.exists() and part.stat().st_size > 100_000) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == INTERRUPTED, errors
    assert "the same command goes on from here" in errors
    have = part.stat().st_size
    assert 100_000 < have < len(archive)
    desk.shop.offers["/images_001.tar.gz"].pause_s = 0
    assert desk.download("--first", "1").exit_code == DONE
    assert [request.range for request in desk.shop.requests] == [f"bytes={have}-"]
    assert desk.pictures() == {"images/00000001_000.png": content}
