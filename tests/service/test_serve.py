"""The service in this process, over a work that fails when it is told to: what is told, what resumes, how it ends."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge_sr.errors import DeviceLost, EnvironmentFault, IntegrityError
from edge_sr.service import steps as steps_module
from edge_sr.service.faults import DiskFull
from edge_sr.service.log import EventLog
from edge_sr.service.loop import Settings
from edge_sr.service.notify import Notifier
from edge_sr.service.retries import DiskSpace
from edge_sr.service.serve import serve, socket_path
from edge_sr.service.stages import OFFERED
from edge_sr.service.status import ask
from tests.service.fakes import FakeDecoder, FakeWork, picture

LONG_S = 30.0


class FakeSystemd(Notifier):
    """Keeps what it is told."""

    def __init__(self, watchdog_s: float | None = None) -> None:
        super().__init__({})
        self.watchdog_s = watchdog_s
        self.told: list[str] = []

    def _send(self, lines: str) -> None:
        self.told.append(lines)


@dataclass
class Served:
    """A spool, and the service over it for as long as ``act`` in another thread has something to do."""

    spool: Path
    work: FakeWork
    systemd: FakeSystemd = field(default_factory=FakeSystemd)
    events: list[dict[str, object]] = field(default_factory=list)
    settings: Settings = field(default_factory=lambda: Settings(scan_interval_s=0.02))
    stalled_s: float = 60.0
    ended: bool = False
    left: list[int] = field(default_factory=list)

    def during(self, act: Callable[[], None] = lambda: None, *, begin: str = "ready") -> int:
        """The exit code. ``act`` begins with that event; its end is a SIGTERM, its fault is raised here."""
        faults: list[BaseException] = []

        def acting() -> None:
            try:
                self.wait_for(begin)
                act()
            except BaseException as fault:
                faults.append(fault)
            os.kill(os.getpid(), signal.SIGTERM)

        before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # for one that ends before it is asked to
        actor = threading.Thread(target=acting, daemon=True)
        actor.start()
        try:
            return self._serve()
        finally:
            self.ended = True
            actor.join(LONG_S)
            signal.signal(signal.SIGTERM, before)
            if faults:
                raise faults[0]

    def _serve(self) -> int:
        return serve(
            self.spool,
            self._open,
            FakeDecoder(),
            ends=lambda content: True,
            most_bytes=1 << 20,
            settings=self.settings,
            notifier=self.systemd,
            log=EventLog(lambda line: self.events.append(json.loads(line))),
            stalled_s=self.stalled_s,
            environ={},
            leave=self.left.append,
        )

    def wait_for(self, event: str, count: int = 1) -> None:
        self.wait_until(lambda: [each["event"] for each in self.events].count(event) >= count)

    def wait_until(self, true: Callable[[], bool]) -> None:
        end_s = time.monotonic() + LONG_S
        while not true() and not self.ended:
            assert time.monotonic() < end_s, self.events
            time.sleep(0.005)

    def _open(self) -> FakeWork:
        return self.work

    def drop(self, name: str, content: bytes | None = None) -> None:
        part = self.spool / "incoming" / f".{name}.part"
        part.write_bytes(picture() if content is None else content)
        part.rename(part.with_name(name))

    def status(self) -> dict[str, object]:
        return ask(socket_path(self.spool, {})) or {}

    def queue(self, name: str) -> int:
        queue = self.status().get("queue")
        return int(queue[name]) if isinstance(queue, dict) else 0

    def names(self, folder: str) -> list[str]:
        return sorted(path.name for path in (self.spool / folder).iterdir())


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(tmp_path / "spool", FakeWork())


def test_ready_then_a_picture_then_an_orderly_end(served: Served) -> None:
    def act() -> None:
        served.drop("a.png")
        served.wait_for("done")
        assert served.status()["ready"] is True

    assert served.during(act) == 0
    assert served.names("outgoing") == ["a_x4.json", "a_x4.png"] and served.names("done") == ["a.png"]
    assert served.work.closed
    kinds = [line.partition("=")[0] for line in served.systemd.told]
    assert kinds.index("EXTEND_TIMEOUT_USEC") < kinds.index("READY") < kinds.index("STOPPING")
    assert not (served.spool / "state" / "status.sock").exists()


def test_a_model_that_cannot_be_opened_ends_it_unready(served: Served) -> None:
    def refuse(count: int) -> None:
        raise IntegrityError("the engine is damaged")

    served.work.on_call = refuse  # the self-test is its first call
    with pytest.raises(IntegrityError):
        served.during()
    assert not any("READY" in line for line in served.systemd.told)


def test_a_stop_while_the_model_loads(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> FakeWork:
        served.wait_for("stopping")
        return served.work

    monkeypatch.setattr(served, "_open", load)
    assert served.during(begin="started") == 0
    assert served.work.closed and not any("READY" in line for line in served.systemd.told)


def test_a_self_test_that_comes_out_wrong_ends_it_unready(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_sr.service.self_test.lr_rmse", lambda sr, lr: 90.0)
    with pytest.raises(IntegrityError, match="90 grey levels"):
        served.during()


def test_a_lost_device_ends_it_with_everything_put_back(served: Served) -> None:
    def lose(count: int) -> None:
        if len(served.work.calls) > 1:
            raise DeviceLost("CUDA error 700")

    served.work.on_call = lose
    with pytest.raises(DeviceLost):
        served.during(lambda: [served.drop(f"{number}.png") for number in range(9)] and served.wait_for("never"))
    assert served.names("work") == [] and served.names("outgoing") == []
    assert len(served.names("incoming")) == 9


def test_a_passing_fault_is_shown_and_passes(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_once(count: int) -> None:
        if len(served.work.calls) == 2:
            raise EnvironmentFault("I/O error")

    def act() -> None:
        served.drop("a.png")
        served.wait_for("not-ready")
        assert served.status()["reason"] == "passing-fault"
        served.wait_for("done")
        served.wait_for("ready-again")

    monkeypatch.setattr("edge_sr.service.retries.BACK_OFF_S", (0.3,))
    served.work.on_call = fail_once
    assert served.during(act) == 0
    assert [event["reason"] for event in served.events if event["event"] == "later"] == ["environment"]


def test_a_full_disk_stops_the_claiming_and_nothing_else(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    publish, full = steps_module.publish, threading.Event()

    def publish_where_there_is_room(*args: object) -> object:
        if full.is_set():
            raise DiskFull("full")
        return publish(*args)  # type: ignore[arg-type]

    def act() -> None:
        full.set()
        for number in range(5):
            served.drop(f"{number}.png", picture(number))
        served.wait_for("not-ready")
        assert served.status()["reason"] == "disk-full"
        full.clear()
        served.wait_for("done", 5)

    monkeypatch.setattr(steps_module, "publish", publish_where_there_is_room)
    monkeypatch.setattr("edge_sr.service.retries.POLL_S", 0.1)
    monkeypatch.setattr(DiskSpace, "_has_room", lambda self: not full.is_set())
    assert served.during(act) == 0
    assert len(served.names("outgoing")) == 10 and served.names("work") == []


def test_a_hung_stage_is_not_ready_and_gives_no_sign_of_life(served: Served) -> None:
    go_on = threading.Event()

    def hang(count: int) -> None:
        if len(served.work.calls) == 2:
            go_on.wait(LONG_S)

    def act() -> None:
        served.drop("a.png")
        served.wait_for("not-ready")
        document, signs = served.status(), served.systemd.told.count("WATCHDOG=1")
        assert (document["live"], document["ready"], document["stalled_stage"]) == (True, False, "compute")
        time.sleep(0.2)
        assert served.systemd.told.count("WATCHDOG=1") == signs
        go_on.set()
        served.wait_until(lambda: served.systemd.told.count("WATCHDOG=1") > signs)

    served.work.on_call, served.stalled_s, served.systemd = hang, 0.2, FakeSystemd(watchdog_s=0.1)
    assert served.during(act) == 0


def test_a_stop_ends_what_is_computed_and_puts_the_rest_back(served: Served) -> None:
    computing, go_on = threading.Event(), threading.Event()

    def wait(count: int) -> None:
        if len(served.work.calls) == 2:
            computing.set()
            go_on.wait(LONG_S)

    def act() -> None:
        for number in range(9):
            served.drop(f"{number}.png", picture(number))
        assert computing.wait(LONG_S)
        threading.Timer(0.2, go_on.set).start()

    served.work.on_call, served.work.largest_batch = wait, 1
    assert served.during(act) == 0
    assert len(served.names("done")) == 1 and len(served.names("incoming")) == 8 and served.names("work") == []


def test_a_stop_does_not_wait_for_ever(served: Served) -> None:
    computing = threading.Event()

    def hang(count: int) -> None:
        if len(served.work.calls) == 2:
            computing.set()
            time.sleep(1.0)

    def act() -> None:
        served.drop("a.png")
        assert computing.wait(LONG_S)

    served.work.on_call, served.settings = hang, Settings(scan_interval_s=0.02, stop_limit_s=0.1)
    assert served.during(act) == 0 and served.left == [0]
    assert served.events[-1]["event"] == "stopped" and served.events[-1]["left_behind"] is True
    assert len(served.names("work")) == 1  # the next start takes it up


def test_pictures_that_wait_share_a_call(served: Served) -> None:
    computing, go_on = threading.Event(), threading.Event()

    def wait(count: int) -> None:
        if len(served.work.calls) == 2:
            computing.set()
            go_on.wait(LONG_S)

    def act() -> None:
        served.drop("first.png")
        assert computing.wait(LONG_S)
        for number in range(1, 9):
            served.drop(f"{number}.png", picture(number))
        served.wait_until(lambda: served.queue("in_stages") >= 1 + served.work.largest_batch + 1 + OFFERED)
        go_on.set()
        served.wait_for("done", 9)

    served.work.on_call = wait
    assert served.during(act) == 0
    assert served.work.calls[:3] == [1, 1, 4]  # the self-test, the lone first, and what had come meanwhile
