"""`edge-sr watch` as it runs: a process of its own, files in, pairs out, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_sr.artifacts.bundle import Bundle
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.png import encode_png, read_text
from edge_sr.service.spool import DEFAULT_SPOOL
from tests.conftest import RunCli

ROOT = Path(__file__).resolve().parents[2]
LONG_S = 60.0  # what nothing here takes


class Watch:
    """One process. Its log is read from a file, so that it never waits for us."""

    def __init__(self, spool: Path, model: Path | str, *words: object, **environ: str) -> None:
        self.spool, self.log = spool, spool.with_suffix(".log")
        command = [
            sys.executable,
            "-c",
            "from edge_sr.cli import main; main()",
            "watch",
            str(spool),
            "--model",
            str(model),
        ]
        environ = {**os.environ, "PYTHONPATH": str(ROOT), **environ}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*command, *map(str, words)], stderr=log, env=environ)

    def events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]

    def wait_for(self, event: str, count: int = 1) -> None:
        wait_until(lambda: self.ended or self.log.read_bytes().count(f'"event": "{event}"'.encode()) >= count)
        assert sum(each["event"] == event for each in self.events()) >= count, self.events()

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def drop(self, name: str, content: bytes) -> None:
        part = self.spool / "incoming" / f".{name}.part"
        part.write_bytes(content)
        part.rename(part.with_name(name))

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(LONG_S)


def wait_until(true: Callable[[], bool]) -> None:
    end_s = time.monotonic() + LONG_S
    while not true() and time.monotonic() < end_s:
        time.sleep(0.01)


def picture(seed: int = 0) -> bytes:
    return encode_png(chest_phantom(64, seed=seed, bit_depth=8), text={})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Watch]]:
    started: list[Watch] = []

    def begin(*args: object, **environ: str) -> Watch:
        started.append(Watch(tmp_path / "spool", *args, **environ))  # type: ignore[arg-type]
        return started[-1]

    yield begin
    for each in started:
        if not each.ended:
            each.process.kill()
            each.process.wait()


def test_a_picture_in_a_pair_out_and_an_orderly_end(start: Callable[..., Watch], tiny: Bundle) -> None:
    watch = start(tiny.folder, "--threads", 1)
    watch.wait_for("ready")
    watch.drop("DOE^JANE.png", picture())
    watch.wait_for("done")
    assert watch.stop() == 0
    assert names(watch.spool / "outgoing") == ["DOE^JANE_x4.json", "DOE^JANE_x4.png"]
    assert names(watch.spool / "done") == ["DOE^JANE.png"] and names(watch.spool / "work") == []
    sidecar = json.loads((watch.spool / "outgoing" / "DOE^JANE_x4.json").read_text())
    done = next(event for event in watch.events() if event["event"] == "done")
    assert sidecar["job"] == done["job"] and not {"input", "output"} & sidecar.keys()
    provenance = json.loads(read_text(watch.spool / "outgoing" / "DOE^JANE_x4.png")["edge-sr"])
    assert provenance["job_key"] == sidecar["job_key"] and provenance["model_sha256"] == tiny.sha256
    assert b"DOE" not in watch.log.read_bytes() and "DOE" not in json.dumps(sidecar)


def test_once_works_through_what_is_there(start: Callable[..., Watch], tmp_path: Path, tiny: Bundle) -> None:
    (tmp_path / "spool" / "incoming").mkdir(parents=True)
    for seed in range(5):
        (tmp_path / "spool" / "incoming" / f"{seed}.png").write_bytes(picture(seed))
    watch = start(tiny.folder, "--once", "--threads", 1)
    assert watch.process.wait(LONG_S) == 0
    assert len(names(watch.spool / "outgoing")) == 10 and names(watch.spool / "incoming") == []


def test_once_tells_of_a_bad_one_and_does_the_rest(start: Callable[..., Watch], tmp_path: Path) -> None:
    (tmp_path / "spool" / "incoming").mkdir(parents=True)
    (tmp_path / "spool" / "incoming" / "good.png").write_bytes(picture())
    (tmp_path / "spool" / "incoming" / "bad.png").write_bytes(encode_png(chest_phantom(64), text={})[:-30] + b"\0" * 30)
    (tmp_path / "spool" / "incoming" / "link.png").symlink_to("good.png")
    watch = start("bicubic", "--once", "--incomplete-after", 1)
    assert watch.process.wait(LONG_S) == 1
    assert names(watch.spool / "outgoing") == ["good_x4.json", "good_x4.png"]
    reasons = {json.loads(path.read_text())["reason"] for path in (watch.spool / "quarantine").glob("*/reason.json")}
    assert reasons == {"incomplete", "link"}


def test_a_second_instance_is_refused_with_the_pid(start: Callable[..., Watch], cli: RunCli) -> None:
    watch = start("bicubic")
    watch.wait_for("ready")
    second = start("bicubic")
    assert second.process.wait(LONG_S) == 75
    failed = next(event for event in watch.events() if event["event"] == "failed")
    assert f"process {watch.process.pid}" in str(failed["what"])
    assert not watch.ended


def test_what_systemd_is_told(start: Callable[..., Watch]) -> None:
    address = f"edge-sr-watch-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0{address}")
        systemd.settimeout(LONG_S)
        watch = start("bicubic", NOTIFY_SOCKET=f"@{address}", WATCHDOG_USEC="300000")
        told = list(iter(lambda: systemd.recv(1024).partition(b"=")[0], b"READY"))
        assert set(told) <= {b"WATCHDOG", b"EXTEND_TIMEOUT_USEC"}
        while systemd.recv(1024) != b"WATCHDOG=1":
            pass
        assert watch.stop(signal.SIGINT) == 0
        while not systemd.recv(1024).startswith(b"STOPPING=1"):
            pass


def test_ready_is_told_after_the_self_test_and_not_where_it_fails(start: Callable[..., Watch], tmp_path: Path) -> None:
    address = f"edge-sr-unready-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0{address}")
        systemd.setblocking(False)
        watch = start(tmp_path / "nowhere", NOTIFY_SOCKET=f"@{address}")
        assert watch.process.wait(LONG_S) == 2
        messages = []
        with pytest.raises(BlockingIOError):
            while True:
                messages.append(systemd.recv(1024))
    assert messages and not any(b"READY" in message for message in messages)


def test_status_of_a_service_and_of_none(start: Callable[..., Watch], cli: RunCli) -> None:
    watch = start("bicubic")
    watch.wait_for("ready")
    watch.drop("a.png", picture())
    watch.wait_for("done")
    asked = cli("status", watch.spool, "--json")
    document = json.loads(asked.stdout)
    assert asked.exit_code == 0 and document["ready"] and document["live"]
    assert document["pid"] == watch.process.pid and document["jobs"]["done"] == 1
    told = cli("status", watch.spool).stdout
    assert told.startswith("ready\n") and "1 done, 0 quarantined" in told and "compute" in told
    watch.stop()
    assert cli("status", watch.spool).exit_code == 3
    assert json.loads(cli("status", watch.spool, "--json").stdout)["live"] is False


def test_killed_with_a_job_at_hand_it_comes_out_at_the_next_start(start: Callable[..., Watch], tmp_path: Path) -> None:
    job = "0123456789abcdef" * 2
    (tmp_path / "spool" / "incoming").mkdir(parents=True)
    (tmp_path / "spool" / "work" / job).mkdir(parents=True, mode=0o700)
    (tmp_path / "spool" / "work" / job / "a.png").write_bytes(picture())
    watch = start("bicubic", "--once")
    assert watch.process.wait(LONG_S) == 0
    assert names(watch.spool / "outgoing") == ["a_x4.json", "a_x4.png"] and names(watch.spool / "work") == []
    assert any(event["event"] == "done" and event["job"] == job for event in watch.events())


def test_options_from_the_environment(start: Callable[..., Watch], cli: RunCli, tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client", reason="it writes the file")
    prom, log = tmp_path / "edge-sr.prom", tmp_path / "latency.jsonl"
    watch = start("bicubic", "--once", EDGE_SR_WATCH_METRICS_FILE=str(prom), EDGE_SR_WATCH_LATENCY_LOG=str(log))
    watch.process.wait(LONG_S)
    assert "edge_sr_ready" in prom.read_text() and log.exists()
    assert cli("watch", "--help").stdout.count("EDGE_SR_WATCH_MODEL") == 1


def test_the_default_spool_is_the_spools_own() -> None:
    from edge_sr.cli import watch

    assert watch.DEFAULT_SPOOL == DEFAULT_SPOOL
