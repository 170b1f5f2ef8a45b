"""What a person sees of a build: heartbeats in a log, a bar on a terminal."""

from __future__ import annotations

import io
from dataclasses import dataclass

import pytest

from build_engines.targets.progress import BuildProgress


@dataclass
class Clock:
    now: float = 0

    def __call__(self) -> float:
        return self.now


def test_a_log_gets_a_line_every_five_seconds() -> None:
    clock, lines = Clock(), []
    progress = BuildProgress(lines.append, clock=clock)
    progress.phase_start("Tactics", 8)
    progress.step_complete("Tactics", 2)
    for clock.now in range(1, 13):
        progress.beat()
    assert lines == ["compiling, 5 s, Tactics 3 of 8", "compiling, 10 s, Tactics 3 of 8"]


def test_a_heartbeat_needs_no_phase() -> None:
    clock, lines = Clock(), []
    progress = BuildProgress(lines.append, clock=clock)
    clock.now = 6
    progress.beat()
    assert lines == ["compiling, 6 s"]


def test_inner_phases_fill_the_step_that_they_are_part_of() -> None:
    progress = BuildProgress(print)
    progress.phase_start("outer", 4)
    progress.step_complete("outer", 0)
    progress.phase_start("inner", 2)
    progress.step_complete("inner", 0)
    assert progress.fraction == pytest.approx(1 / 4 + 1 / 8)
    progress.phase_finish("inner")
    assert progress.fraction == pytest.approx(1 / 4)


def test_the_terminal_gets_a_bar_and_the_log_nothing() -> None:
    clock, lines, terminal = Clock(), [], io.StringIO()
    progress = BuildProgress(lines.append, terminal=terminal, clock=clock)
    progress.phase_start("outer", 2)
    progress.step_complete("outer", 0)
    clock.now = 60
    progress.beat()
    assert terminal.getvalue() == "\r[############............] compiling, 60 s, outer 1 of 2"
    assert lines == []


def test_a_shorter_line_wipes_the_longer_one() -> None:
    terminal = io.StringIO()
    progress = BuildProgress(print, terminal=terminal)
    progress.phase_start("a phase of a long name", 2)
    progress.beat()
    long = len(terminal.getvalue()) - 1
    progress.finish()
    assert terminal.getvalue()[-long - 2 :] == "\r" + " " * long + "\r"


def test_steps_ask_for_a_stop_once_it_is_cancelled() -> None:
    progress = BuildProgress(print)
    assert progress.step_complete("any", 0)
    progress.cancel()
    assert not progress.step_complete("any", 1) and progress.cancelled


def test_unknown_phases_are_no_error() -> None:
    progress = BuildProgress(print)
    progress.phase_finish("never begun")
    assert progress.step_complete("never begun", 3) and progress.fraction == 0
