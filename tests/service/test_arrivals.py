from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_sr.service import arrivals as module
from edge_sr.service.arrivals import Arrivals
from tests.service.test_rename import HOSTILE


class Folder:
    """Of incoming, with a clock that is set by hand; a file ends properly when it ends in "."."""

    def __init__(self, path: Path, **options: int) -> None:
        self.path, self.now_s = path, 1000.0
        self.descriptor = os.open(path, os.O_RDONLY)
        self.looks = 0
        self.arrivals = Arrivals(self.descriptor, ends=self.ends, clock=lambda: self.now_s, **options)

    def ends(self, descriptor: int) -> bool | None:
        self.looks += 1
        content = os.pread(descriptor, 1000, 0)
        return None if content.startswith(b"?") else content.endswith(b".")

    def put(self, name: str, content: bytes = b"whole.", mtime: float | None = None) -> Path:
        path = self.path / name
        path.write_bytes(content)
        if mtime is not None:
            os.utime(path, (mtime, mtime))
        return path

    def scan(self, seconds: float = 1) -> list[tuple[str, str]]:
        """After so many seconds; what may be taken then, with its reason."""
        self.now_s += seconds
        self.arrivals.scan()
        return self.taken()

    def hint(self, name: str) -> list[tuple[str, str]]:
        self.arrivals.hint(name)
        return self.taken()

    def taken(self) -> list[tuple[str, str]]:
        found = []
        while (arrival := self.arrivals.take()) is not None:
            found.append((arrival.name, arrival.reason))
        return found


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    opened = Folder(tmp_path)
    yield opened
    os.close(opened.descriptor)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_is_taken_when_two_looks_find_the_same(folder: Folder, name: str) -> None:
    folder.put(name)
    assert folder.scan() == []
    assert folder.scan() == [(name, "")]
    assert folder.taken() == []


def test_an_event_makes_it_stable_at_once(folder: Folder) -> None:
    folder.put("a.png")
    assert folder.hint("a.png") == [("a.png", "")]


def test_a_file_that_changes_waits(folder: Folder) -> None:
    for number in range(5):
        folder.put("a.png", b"whole." * (number + 1))
        assert folder.scan() == []
    assert folder.scan() == [("a.png", "")]


def test_another_file_under_the_name_waits(folder: Folder) -> None:
    folder.put("a.png", mtime=5)
    folder.scan()
    folder.put("b.png", mtime=5).replace(folder.path / "a.png")
    assert folder.scan() == []


def test_a_file_that_changes_between_the_look_and_the_taking_waits(folder: Folder) -> None:
    folder.put("a.png")
    folder.scan()
    folder.arrivals.scan()
    folder.put("a.png", b"longer now, and whole.")
    assert folder.taken() == []


def test_a_file_without_its_end_waits_and_is_incomplete_in_the_end(folder: Folder) -> None:
    folder.put("a.png", b"half")
    assert folder.hint("a.png") == []
    assert folder.scan(59) == []
    looks = folder.looks
    assert folder.scan(0.5) == [] and folder.looks == looks  # nothing changed, so nothing is read
    assert folder.scan(0.5) == [("a.png", "incomplete")]


def test_its_end_may_come_late(folder: Folder) -> None:
    folder.put("a.png", b"half")
    folder.hint("a.png")
    folder.scan(59)
    folder.put("a.png", b"half and half.")
    assert folder.scan(10) == []
    assert folder.scan(10) == [("a.png", "")]


def test_an_empty_file_waits(folder: Folder) -> None:
    folder.put("a.png", b"")
    assert folder.hint("a.png") == [] and folder.looks == 0
    assert folder.scan(60) == [("a.png", "incomplete")]


def test_a_format_whose_end_nobody_knows_is_left_alone_for_some_seconds(folder: Folder) -> None:
    folder.put("a.txt", b"?")
    assert folder.hint("a.txt") == []
    assert folder.scan(4) == []
    assert folder.scan(1) == [("a.txt", "")]


@pytest.mark.parametrize("name", [".hidden", "a.part", "a.PART", "a.tmp", "a.partial", "a.filepart", "a.crdownload"])
def test_what_is_not_finished_by_its_name_is_ignored(folder: Folder, name: str) -> None:
    folder.put(name)
    assert folder.hint(name) == folder.scan() == folder.scan() == folder.scan(100) == []
    assert (folder.arrivals.ignored, folder.arrivals.waiting) == (1, 0)


def test_a_folder_is_ignored(folder: Folder) -> None:
    (folder.path / "a.png").mkdir()
    assert folder.hint("a.png") == folder.scan() == folder.scan() == []
    assert folder.arrivals.ignored == 1


@pytest.mark.parametrize(("kind", "reason"), [("link", "link"), ("broken link", "link"), ("pipe", "special-file")])
def test_what_is_no_file_is_taken_unopened(folder: Folder, kind: str, reason: str) -> None:
    path = folder.path / "a.png"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/etc/passwd" if kind == "link" else "nowhere")
    assert folder.scan() == []
    assert folder.scan() == [("a.png", reason)] and folder.looks == 0


def test_a_publisher_that_links_and_unlinks_is_waited_for(folder: Folder) -> None:
    (folder.path / "a.png").hardlink_to(folder.put(".a"))
    assert folder.scan() == folder.scan() == folder.scan(40) == []
    (folder.path / ".a").unlink()
    assert folder.scan() == [("a.png", "")]


def test_a_file_of_several_names_is_told_in_the_end(folder: Folder) -> None:
    (folder.path / "a.png").hardlink_to(folder.put(".a"))
    folder.scan()
    assert folder.scan(60) == [("a.png", "several-links")]


def test_the_oldest_is_taken_first_ties_by_name(folder: Folder) -> None:
    for name, mtime in (("b", 5), ("c", 3), ("a", 5), ("d", 4)):
        folder.put(name, mtime=mtime)
    folder.scan()
    assert [name for name, _ in folder.scan()] == ["c", "d", "a", "b"]


def test_of_many_the_oldest_are_kept_and_the_others_come_later(tmp_path: Path) -> None:
    folder = Folder(tmp_path, most=3)
    for number in range(7):
        folder.put(f"{number}", mtime=number)
    folder.scan()
    assert (folder.arrivals.waiting, len(folder.arrivals._seen)) == (7, 3)
    order = []
    for _ in range(6):
        taken = folder.scan()
        order += [name for name, _ in taken]
        for name, _ in taken:
            (tmp_path / name).unlink()
    assert order == [f"{number}" for number in range(7)]
    os.close(folder.descriptor)


def test_what_could_not_be_claimed_is_offered_later(folder: Folder) -> None:
    folder.put("a.png")
    folder.hint("a.png")
    folder.arrivals.later("a.png", 60)
    assert folder.scan(30) == folder.hint("a.png") == folder.scan(29) == []
    assert folder.scan(1) == [] and folder.scan() == [("a.png", "")]


def test_what_was_given_back_needs_two_looks_again(folder: Folder) -> None:
    folder.put("a.png")
    folder.arrivals.distrust("a.png")
    assert folder.hint("a.png") == []
    assert folder.scan() == [("a.png", "")]


def test_a_name_that_is_gone_is_forgotten(folder: Folder) -> None:
    path = folder.put("a.png")
    folder.scan()
    folder.arrivals.scan()
    path.unlink()
    assert folder.taken() == [] and folder.hint("a.png") == []
    folder.scan()
    assert folder.arrivals.waiting == 0 and folder.arrivals.oldest_s is None


def test_a_link_swapped_in_is_not_followed(folder: Folder) -> None:
    path = folder.put("a.png")
    folder.scan()
    folder.arrivals.scan()
    path.unlink()
    path.symlink_to("/etc/passwd")
    assert folder.taken() == [] and folder.looks == 0
    folder.scan()
    assert folder.scan() == [("a.png", "link")]


def test_what_waits_is_counted(folder: Folder) -> None:
    for name in ("a", "b"):
        folder.put(name, mtime=1)
    folder.scan()
    folder.arrivals.hint("a")
    assert (folder.arrivals.waiting, folder.arrivals.ready) == (2, 1)
    assert folder.arrivals.take() is not None and folder.arrivals.waiting == 1
    assert folder.arrivals.oldest_s is not None and folder.arrivals.oldest_s > 1e9


def test_looking_opens_nothing_for_good(folder: Folder) -> None:
    folder.put("a.png", b"half")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        folder.scan(30)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_file_that_may_not_be_read_is_refused_in_the_end(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> int:
        raise PermissionError

    monkeypatch.setattr(module, "open_regular", forbidden)
    folder.put("a.png")
    assert folder.hint("a.png") == folder.scan(30) == []
    assert folder.scan(30) == [("a.png", "refused")]


def test_a_crowded_folder_is_looked_at_less_often(tmp_path: Path) -> None:
    folder = Folder(tmp_path, most=4)
    for number in range(4):
        folder.put(f"{number}", mtime=number)
    for _ in range(2):
        folder.now_s += 1
        folder.arrivals.scan()
    folder.put("4", mtime=4)
    folder.now_s += 1
    folder.arrivals.scan()
    assert folder.arrivals.waiting == 4  # as of the look before
    folder.now_s += 10
    folder.arrivals.scan()
    assert folder.arrivals.waiting == 5
    os.close(folder.descriptor)
