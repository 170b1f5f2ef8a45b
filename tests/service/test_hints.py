from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_sr.service.hints import Hints
from tests.service.test_rename import HOSTILE


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "incoming").mkdir()
    descriptor = os.open(tmp_path / "incoming", os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def hints(folder: int) -> Iterator[Hints]:
    pytest.importorskip("inotify_simple")
    with Hints(folder) as opened:
        yield opened


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_closed_or_moved_into_place_is_told(tmp_path: Path, hints: Hints, name: str) -> None:
    (tmp_path / "incoming" / "closed").write_bytes(b"")
    (tmp_path / name).write_bytes(b"")
    (tmp_path / name).rename(tmp_path / "incoming" / name)
    assert select.select([hints], [], [], 5)[0] == [hints]
    assert hints.names() == ["closed", name] and hints.names() == []
    assert not hints.overflowed


def test_what_is_only_begun_is_not_told(tmp_path: Path, hints: Hints) -> None:
    with (tmp_path / "incoming" / "a").open("wb") as file:
        file.write(b"half")
        file.flush()
        assert hints.names() == []
    assert hints.names() == ["a"]


def test_the_folder_is_watched_wherever_it_goes(tmp_path: Path, hints: Hints) -> None:
    (tmp_path / "incoming").rename(tmp_path / "moved")
    (tmp_path / "incoming").mkdir()
    (tmp_path / "incoming" / "other").write_bytes(b"")
    (tmp_path / "moved" / "a").write_bytes(b"")
    assert hints.names() == ["a"]


def test_a_lost_event_is_told(hints: Hints, monkeypatch: pytest.MonkeyPatch) -> None:
    from inotify_simple import Event, flags

    monkeypatch.setattr(hints._inotify, "read", lambda timeout: [Event(-1, flags.Q_OVERFLOW, 0, "")])
    assert hints.names() == [] and hints.overflowed


def test_without_the_package_there_are_none(folder: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "inotify_simple", None)
    with Hints(folder) as hints:
        assert (hints.available, hints.fileno(), hints.names()) == (False, -1, [])
