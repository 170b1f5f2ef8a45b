"""Whole ``edge-sr build`` processes: killed at any moment, interrupted, and several at once.

EDGE_SR_KILLS says how many are killed; 50 is the bar, a few are enough to notice that something broke.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="graphs are composed with onnx")
pytest.importorskip("onnxruntime", reason="the graphs run in ONNX Runtime")

from edge_sr.artifacts.bundle import Bundle
from edge_sr.artifacts.engine_cache import entries
from edge_sr.artifacts.engine_folder import build_lock, cache_to_write
from edge_sr.artifacts.engine_publish import leftovers
from tests.conftest import RunCli
from tests.engine_entries import never

TRIES = 10
KILLS = int(os.environ.get("EDGE_SR_KILLS", "8"))


@dataclass(frozen=True)
class Command:
    """``edge-sr build`` of the tiny bundle. scratch: where it puts temporary files."""

    words: tuple[str, ...]
    scratch: Path

    def start(self, *more: str) -> subprocess.Popen[str]:
        """The process, at the moment when everything is imported and the work begins."""
        code = "from edge_sr.cli import main; main()"
        process = subprocess.Popen(
            [sys.executable, "-c", code, *self.words, *more],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(self.scratch)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline().startswith("tiny 0.0.1, ddim, 1 step: fp16 for onnxruntime ")
        return process


@pytest.fixture
def command(tiny: Bundle, tmp_path: Path) -> Command:
    (tmp_path / "scratch").mkdir()
    words = ("build", str(tiny.folder), "--precision", "fp16", "--check-phantoms", "1", "--threads", "1")
    return Command(words, tmp_path / "scratch")


def test_killed_at_any_moment_it_leaves_no_half_engine(command: Command, cli: RunCli, engine_cache: Path) -> None:
    whole = command.start()
    started = time.perf_counter()
    assert whole.wait() == 0
    seconds = time.perf_counter() - started
    moments, interrupted = random.Random(7), 0
    for number in range(KILLS):
        process = command.start("--force")
        time.sleep(seconds * (number + moments.random()) / KILLS)
        process.kill()
        process.communicate()
        interrupted += bool(leftovers(engine_cache))
        assert cli("engines", "verify").exit_code == 0
        again = cli(*command.words, "--force")
        assert again.exit_code == 0 and again.stdout.splitlines()[-1].startswith("published: ")
        assert len(list(entries(engine_cache))) == 1
        assert len(list(engine_cache.iterdir())) == 2  # the engine and the lock
    assert interrupted > KILLS / 4  # it was really at work


def test_interrupted_it_leaves_nothing(command: Command, engine_cache: Path) -> None:
    for _ in range(TRIES):
        code, said = interrupted(command, engine_cache)
        if code != 0:
            break
        for done in entries(engine_cache):  # on a busy machine the build may be over before the signal comes
            shutil.rmtree(done.folder)
    assert code == 130 and said.strip() == "error: interrupted"
    assert [path.name for path in engine_cache.iterdir()] == [".lock"]
    assert list(command.scratch.glob("edge-sr-*")) == []


def interrupted(command: Command, engine_cache: Path) -> tuple[int, str]:
    """Exit status and stderr of a build that gets SIGINT as soon as it has written something."""
    process = command.start()
    while not list(engine_cache.glob(".building-*/work/*")) and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    return process.returncode, said


def test_of_two_at_once_the_second_waits_and_finds_the_engine(command: Command) -> None:
    with build_lock(cache_to_write(), never):
        both = [command.start(), command.start()]
        for process in both:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("composed: ")
            waits = process.stdout.readline()
            assert waits == f"another build is at work (process {os.getpid()}); waiting\n"
    ends = sorted(process.communicate()[0].splitlines()[-1].split(":")[0] for process in both)
    assert ends == ["built already", "published"]
    assert [process.returncode for process in both] == [0, 0]
