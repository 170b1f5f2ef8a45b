from __future__ import annotations

from mmap import mmap
from pathlib import Path

import pytest

from build_engines.device_check.growth import LOOKS, measure_growth
from build_engines.device_check.steps import NotAvailable
from edge_sr.artifacts.bundle import Bundle
from edge_sr.bench.memory import resident_kib
from tests.build_engines.device_check.subjects import fake_subject


def test_a_process_that_grows_is_a_fault(fake: Bundle) -> None:
    looks = iter(range(100_000, 200_000, 1000))
    found = measure_growth(fake_subject(fake), "fp16", seconds=0, resident=lambda: next(looks))
    grown = 1000 * (LOOKS - 1)
    assert found.figures["growth_kib"] == grown
    assert found.faults == (f"the process grew by {grown} KiB in {found.figures['calls']} calls",)


def test_a_process_that_stays_as_it_is_passes(fake: Bundle) -> None:
    found = measure_growth(fake_subject(fake), "fp16", seconds=0, resident=lambda: 100_000)
    assert found.figures["growth_kib"] == 0 and found.faults == ()


def test_calls_that_keep_their_results_are_seen(fake: Bundle, short: None) -> None:
    kept: list[mmap] = []

    def leak() -> None:
        kept.append(mmap(-1, 2**20))  # pages of its own: what the heap has free would hide it for a while
        kept[-1].write(b"x" * 2**20)

    assert measure_growth(fake_subject(fake, on_call=leak), "fp16", seconds=0).faults


def test_where_the_system_does_not_tell_there_is_no_figure(fake: Bundle, tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match="does not tell"):
        measure_growth(fake_subject(fake), "fp16", seconds=0, resident=lambda: resident_kib(tmp_path / "statm"))
