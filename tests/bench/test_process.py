from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from edge_sr.bench.process import cold_starts_ms, peak_mib, steady_mib, tell_steady
from edge_sr.bench.variants import Choice

BICUBIC = Choice("bicubic")
SIZE = (64, 64)


def test_a_process_of_its_own_is_started_and_tells_its_memory(tmp_path: Path) -> None:
    (ms,) = cold_starts_ms([BICUBIC], [SIZE], tmp_path, rounds=1)
    assert ms is not None and ms > 0 and (tmp_path / "cold.png").is_file()
    peak, steady = peak_mib(BICUBIC, SIZE, tmp_path), steady_mib(BICUBIC, SIZE)
    assert peak is not None and steady is not None and min(peak, steady) > 5


def test_a_process_that_fails_has_no_figures(tmp_path: Path) -> None:
    broken = Choice(str(tmp_path / "none"))
    assert cold_starts_ms([broken], [SIZE], tmp_path, rounds=1) == [None]
    assert peak_mib(broken, SIZE, tmp_path) is None


def test_the_process_tells_what_it_holds_with_the_model_open() -> None:
    told: list[str] = []
    tell_steady([json.dumps(asdict(BICUBIC)), json.dumps(SIZE)], told.append)
    assert told[0].startswith("resident ") and int(told[0].split()[1]) > 1000
