"""sd_notify against a socket of our own in systemd's place."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_sr.service.notify import Notifier


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(f"\0edge-sr-test-{os.getpid()}")
        server.settimeout(5)
        yield server


def notifier(systemd: socket.socket, **more: str) -> Notifier:
    return Notifier({"NOTIFY_SOCKET": "@" + systemd.getsockname()[1:].decode(), **more})


def test_each_sign_is_one_datagram(systemd: socket.socket) -> None:
    told = notifier(systemd)
    told.extend_timeout(20)
    told.ready("waiting")
    told.watchdog()
    told.stopping("finishing")
    signs = [systemd.recv(1024).decode() for _ in range(4)]
    assert signs == [
        "EXTEND_TIMEOUT_USEC=20000000",
        "READY=1\nSTATUS=waiting",
        "WATCHDOG=1",
        "STOPPING=1\nSTATUS=finishing",
    ]


def test_the_same_status_is_told_once(systemd: socket.socket) -> None:
    told = notifier(systemd)
    told.status("waiting")
    told.status("waiting")
    told.status("3 done")
    assert [systemd.recv(1024) for _ in range(2)] == [b"STATUS=waiting", b"STATUS=3 done"]


def test_no_child_can_speak_in_our_name(systemd: socket.socket) -> None:
    environ = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "10", "WATCHDOG_PID": "1", "HOME": "/"}
    Notifier(environ)
    assert environ == {"HOME": "/"}


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [("60000000", str(os.getpid()), 60), ("500000", "", 0.5), ("60000000", "1", None), ("", "", None), ("0", "", None)],
    ids=["ours", "of any process", "another's", "not asked for", "none"],
)
def test_whether_and_when_a_sign_of_life_is_due(usec: str, pid: str, seconds: float | None) -> None:
    assert Notifier({"WATCHDOG_USEC": usec, "WATCHDOG_PID": pid}).watchdog_s == seconds


def test_without_systemd_nothing_is_told() -> None:
    told = Notifier({})
    told.ready("waiting")
    assert not told.listened_to


def test_a_systemd_that_is_gone_stops_nothing(systemd: socket.socket) -> None:
    told = notifier(systemd)
    systemd.close()
    told.watchdog()
