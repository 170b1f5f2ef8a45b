"""What is timed and how often; never how long it takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from edge_sr.backends.base import Backend
from edge_sr.backends.onnxrt import OnnxRuntime
from host_training.evaluation import timing
from host_training.evaluation.pictures import Sample
from host_training.evaluation.rows import Produce, Row
from host_training.evaluation.timing import CALLS, FEWEST_CALLS, WARM_UP, time_rows, timed

SAMPLE = Sample(*[np.zeros((8, 8), np.uint8)] * 3)


def test_a_quick_row_is_called_many_times_and_warmed_up() -> None:
    calls: list[int] = []
    assert timed(lambda: calls.append(1)).calls == CALLS
    assert len(calls) == WARM_UP + CALLS


def test_a_slow_row_is_called_a_few_times(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(timing, "BUDGET_S", 0.0)
    assert timed(lambda: None).calls == FEWEST_CALLS


def test_one_row_is_open_at_a_time_and_diagnostic_ones_not_at_all() -> None:
    events: list[str] = []

    def row(key: str) -> Row:
        @contextmanager
        def opening(backend: Backend) -> Iterator[Produce]:
            events.append(f"open {key}")
            yield lambda sample: sample.hr
            events.append(f"close {key}")

        return Row(key, key, opening)

    rows = [row("bicubic"), Row("regression", "regression", None, "no net"), row("a/model_1"), row("a/zeroed")]
    assert list(time_rows(rows, SAMPLE, OnnxRuntime(1))) == ["bicubic", "a/model_1"]
    assert events == ["open bicubic", "close bicubic", "open a/model_1", "close a/model_1"]
