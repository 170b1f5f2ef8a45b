"""A session that has warmed up takes no more memory: not for a call, and not after ten thousand."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("benchmarks", reason="benchmarks are not in the wheel")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from benchmarks.idle_gpu import SHAPES, idle_session
from edge_sr.backends.trt import EngineSession, TensorRT
from tests.sim.engines import feeds, write_engine
from tests.sim.install import install
from tests.sim.machine import Machine

MODES = [(zero_copy, graphs) for zero_copy in (False, True) for graphs in (False, True)]
LARGEST = 64 << 10
OUT = {"sr": np.empty((1, *SHAPES["sr"]), np.float32)}  # 256 KiB, as each copy of the picture would be
FED = {name: np.full((1, *SHAPES[name]), 0.5, np.float32) for name in ("lr", "noise")}


@pytest.fixture
def traced() -> Iterator[None]:
    gc.collect()
    tracemalloc.start()
    yield
    tracemalloc.stop()


def most_at_once(call: Callable[[], object]) -> int:
    """Bytes that it had allocated at its worst moment, numpy's included."""
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    call()
    return tracemalloc.get_traced_memory()[1] - before


@pytest.mark.parametrize(("zero_copy", "graphs"), MODES)
def test_a_call_into_the_callers_arrays_allocates_next_to_nothing(
    zero_copy: bool, graphs: bool, tmp_path: Path, traced: None
) -> None:
    (tmp_path / "engine").touch()
    with idle_session(tmp_path / "engine", zero_copy=zero_copy, graphs=graphs) as session:
        for _ in range(4):
            session.run(FED, out=OUT)
        assert most_at_once(lambda: session.run(FED, out=OUT)) < LARGEST
        assert most_at_once(lambda: session.run(FED)) > OUT["sr"].nbytes  # so a picture would have been noticed


def test_ten_thousand_calls_leave_nothing_behind(tmp_path: Path, traced: None) -> None:
    (tmp_path / "engine").touch()
    with idle_session(tmp_path / "engine") as session:
        run_often(session, 100)
        before = tracemalloc.get_traced_memory()[0]
        run_often(session, 10_000)
        assert tracemalloc.get_traced_memory()[0] - before < 4096


def run_often(session: EngineSession, times: int) -> None:
    for _ in range(times):
        session.run(FED, out=OUT)
    gc.collect()


@pytest.fixture
def simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Machine, EngineSession]]:
    """A machine and a session on it, after its warm-up."""
    machine = Machine()
    install(monkeypatch, machine)
    with TensorRT().open(write_engine(tmp_path / "g.engine")) as session:
        for number in range(6):
            session.run(feeds(number))
        yield machine, session


def test_nor_does_the_gpu_take_more(simulated: tuple[Machine, EngineSession]) -> None:
    machine, session = simulated
    warm = len(machine.names)
    for number in range(50):
        session.run(feeds(number % 3))
    list(session.stream(feeds(number) for number in range(10)))
    once = {"mem_alloc", "pagelocked_empty", "Stream", "Event", "set_input_shape", "cuGraphInstantiate"}
    assert not once & set(machine.names[warm:])


def test_on_the_simulator_our_own_lines_hold_no_more(simulated: tuple[Machine, EngineSession], traced: None) -> None:
    _, session = simulated
    fed, ours = feeds(0), [tracemalloc.Filter(True, "*/edge_sr/*")]  # the machine itself keeps a record of every call
    before = tracemalloc.take_snapshot().filter_traces(ours)
    for _ in range(1000):
        session.run(fed)
    after = tracemalloc.take_snapshot().filter_traces(ours)
    assert sum(each.size_diff for each in after.compare_to(before, "filename")) < 4096
