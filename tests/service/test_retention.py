from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_sr.service import retention
from edge_sr.service.retention import DAY_S, prune_done
from edge_sr.service.spool import FOLDERS, Spool
from tests.service.spools import new_spool


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with new_spool(tmp_path) as opened:
        yield opened


@pytest.fixture
def days_later(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    days = [0.0]
    now = time.time
    monkeypatch.setattr(retention.time, "time", lambda: now() + days[0] * DAY_S)
    return days


def test_what_has_lain_in_done_for_long_enough_goes(spool: Spool, days_later: list[float]) -> None:
    path = spool.path / "done" / "a.png"
    path.write_bytes(b"served")
    os.utime(path, (0, 0))  # the date of the picture does not count
    assert prune_done(spool, keep_days=30) == 0
    days_later[0] = 29
    assert prune_done(spool, keep_days=30) == 0 and path.exists()
    days_later[0] = 31
    assert prune_done(spool, keep_days=30) == 1 and not path.exists()


def test_nothing_else_goes(spool: Spool, days_later: list[float], tmp_path: Path) -> None:
    days_later[0] = 1000
    (tmp_path / "secret").write_bytes(b"secret")
    (spool.path / "done" / "link").symlink_to(tmp_path / "secret")
    (spool.path / "done" / "folder").mkdir()
    for name in set(FOLDERS) - {"done"}:
        (spool.path / name / "file").write_bytes(b"kept")
    assert prune_done(spool, keep_days=1) == 0
    assert (tmp_path / "secret").exists() and all(
        (spool.path / name / "file").exists() for name in {*FOLDERS} - {"done"}
    )
    assert len(list((spool.path / "done").iterdir())) == 2


def test_a_call_removes_no_more_than_it_may(spool: Spool, days_later: list[float]) -> None:
    for number in range(5):
        (spool.path / "done" / f"{number}").write_bytes(b"served")
    days_later[0] = 2
    assert [prune_done(spool, keep_days=1, most=2) for _ in range(4)] == [2, 2, 1, 0]
