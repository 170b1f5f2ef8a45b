"""Runs that are really killed, or meet another one: nothing is half-written, and the next run goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.host_training.prepare.films import write_nih
from tests.host_training.prepare.test_prepare import fault, prepared, rejected, run, tree

PROGRAM = (
    "import sys; from edge_sr.cli.exit_codes import guarded; from host_training.prepare import command, plan;"
    "plan.PART = 4; sys.exit(guarded(lambda: command.prepare(sys.argv[1:], standalone_mode=False)))"
)
JUDGED, WRITTEN = "judged/*.json", "*/written-*.json"
SLOW = ("--degradation", "high-order")  # to write, so that there is time to be killed

in_proc = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds processes in /proc")


@pytest.fixture(scope="module")
def nih(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_nih(tmp_path_factory.mktemp("nih") / "images", patients=35)


def start(nih: Path, out: Path, *, jobs: int = 1) -> subprocess.Popen[str]:
    words = [nih, "-o", out, "--side", "256", *SLOW, "--jobs", jobs]
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *map(str, words)], stderr=subprocess.PIPE, text=True)


def wait_for(pattern: str, process: subprocess.Popen[str], out: Path) -> None:
    """Until the run has such a file in its folder of work in progress."""
    while not list(out.with_name(f".{out.name}.part").glob(pattern)):
        assert process.poll() is None, "it ended before it could be disturbed"
        time.sleep(0.001)


def killed(process: subprocess.Popen[str]) -> str:
    """What the process had said by then."""
    process.kill()
    return process.communicate(timeout=60)[1]


def workers(process: subprocess.Popen[str]) -> list[int]:
    """The processes that work for it, without the one that multiprocessing keeps for itself."""
    ids = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(one) for one in ids if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]


def is_running(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_run_killed_in_both_passes_ends_as_an_unbroken_one(nih: Path, tmp_path: Path) -> None:
    out = tmp_path / "store"
    for pattern in (JUDGED, WRITTEN):
        process = start(nih, out)
        wait_for(pattern, process, out)
        assert killed(process) == "" and not out.exists()
    assert start(nih, out).wait(60) == 0
    prepared(nih, *SLOW, "-o", tmp_path / "unbroken")
    assert tree(out) == tree(tmp_path / "unbroken")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store", "unbroken"]


@in_proc
def test_the_workers_of_a_killed_run_end_with_it(nih: Path, tmp_path: Path) -> None:
    process = start(nih, tmp_path / "store", jobs=2)
    wait_for(WRITTEN, process, tmp_path / "store")
    numbers = workers(process)
    killed(process)
    until = time.monotonic() + 20
    while any(map(is_running, numbers)) and time.monotonic() < until:
        time.sleep(0.01)
    assert len(numbers) == 2 and not any(map(is_running, numbers))


@in_proc
def test_a_killed_worker_is_told(nih: Path, tmp_path: Path) -> None:
    process = start(nih, tmp_path / "store", jobs=2)
    wait_for(WRITTEN, process, tmp_path / "store")
    os.kill(workers(process)[0], signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 3 and not (tmp_path / "store").exists()
    assert "one of its processes was killed" in said and "--jobs 1" in said and "Traceback" not in said


def test_two_runs_do_not_share_a_target(nih: Path, tmp_path: Path) -> None:
    process = start(nih, tmp_path / "store")
    wait_for(JUDGED, process, tmp_path / "store")
    assert "another run is at work here" in str(fault(nih, "-o", tmp_path / "store"))
    killed(process)


def test_what_was_judged_is_not_judged_again(tmp_path: Path) -> None:
    films = write_nih(tmp_path / "films", patients=2)
    run(films, "--dry-run", "-o", tmp_path / "store")
    (findings,) = (tmp_path / ".store.part" / "judged").iterdir()
    entries = json.loads(findings.read_bytes())
    findings.write_text(json.dumps([{**entry, "note": "from the first run"} for entry in entries]))
    store = prepared(films, "-o", tmp_path / "store")
    assert [row.note for row in store.listed] == ["from the first run"] * 4


def test_findings_that_a_power_cut_took_are_made_again(tmp_path: Path) -> None:
    films = write_nih(tmp_path / "films", patients=2)
    run(films, "--dry-run", "-o", tmp_path / "store")
    (findings,) = (tmp_path / ".store.part" / "judged").iterdir()
    findings.write_bytes(b"")
    assert len(prepared(films, "-o", tmp_path / "store").listed) == 4


def test_a_changed_file_is_judged_again(tmp_path: Path) -> None:
    films = write_nih(tmp_path / "films", patients=2)
    run(films, "--dry-run", "-o", tmp_path / "store")
    (films / "00000001_000.png").write_bytes((films / "00000002_000.png").read_bytes()[:-50])
    assert rejected(prepared(films, "-o", tmp_path / "store")) == {"00000001_000.png": "the PNG is truncated"}
