"""The first signal asks, the second ends at once; each in a process of its own."""

from __future__ import annotations

import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge_sr.service.signals import SIGNALS, StopSignals

ROOT = Path(__file__).resolve().parents[2]
TWICE = """
import os, sys
from edge_sr.service.signals import StopSignals
with StopSignals() as signals:
    for _ in range(2):
        os.kill(os.getpid(), int(sys.argv[1]))
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_asks_and_wakes_who_waits(number: signal.Signals) -> None:
    with StopSignals() as signals:
        assert signals.asked is None
        signal.raise_signal(number)
        assert signals.asked == number
        assert select.select([signals], [], [], 5)[0] == [signals]
        signals.drain()
        assert select.select([signals], [], [], 0)[0] == []


@pytest.mark.parametrize("number", SIGNALS)
def test_the_second_ends_at_once(number: signal.Signals) -> None:
    ended = subprocess.run([sys.executable, "-c", TWICE, str(int(number))], cwd=ROOT, check=False)
    assert ended.returncode == 128 + number


def test_the_handlers_before_are_back_afterwards() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with StopSignals():
        pass
    assert [signal.getsignal(number) for number in SIGNALS] == before
