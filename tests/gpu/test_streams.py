"""Buffers, streams, events and graphs around an engine that launches real kernels: the same pictures in every mode."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("benchmarks", reason="the stand-in engine is not in the wheel")
pytest.importorskip("onnxruntime", reason="the simulator runs engines in ONNX Runtime")
pytest.importorskip("onnx", reason="the simulator's engines hold ONNX")

from benchmarks.kernel_engine import Network, open_network
from edge_sr.backends.trt import EngineSession
from tests.gpu.twins import TWINS
from tests.sim.install import install
from tests.sim.machine import Machine

MODES = [(zero_copy, graphs) for zero_copy in (False, True) for graphs in (False, True)]
SMALL = Network(height=8, width=12, layers=3, rounds=2, largest_batch=3)


def same(got: object, want: dict[str, np.ndarray]) -> bool:
    assert isinstance(got, dict)
    return got.keys() == want.keys() and all(np.array_equal(got[name], want[name]) for name in want)


@pytest.mark.parametrize(("zero_copy", "graphs"), MODES)
def test_runs_give_what_numpy_gives(zero_copy: bool, graphs: bool, where: str, tmp_path: Path) -> None:
    with open_network(SMALL, tmp_path / "n", zero_copy=zero_copy, graphs=graphs) as session:
        for number in range(4):
            fed = SMALL.feeds(number)
            assert same(session.run(fed), SMALL.expected(fed))
        skips_without_cuda_python(session, graphs)


def skips_without_cuda_python(session: EngineSession, graphs: bool) -> None:
    if session.cuda_graph == "cuda-python is not installed":
        pytest.skip(session.cuda_graph)
    assert session.cuda_graph == ("captured" if graphs else "not wanted")


@pytest.mark.parametrize(("zero_copy", "graphs"), MODES)
def test_a_stream_gives_what_runs_give(zero_copy: bool, graphs: bool, where: str, tmp_path: Path) -> None:
    fed = [SMALL.feeds(number) for number in range(64)]
    with open_network(SMALL, tmp_path / "n", zero_copy=zero_copy, graphs=graphs) as session:
        for got, each in zip(session.stream(fed), fed, strict=True):
            assert same(got, session.run(each)) and same(got, SMALL.expected(each))


def test_any_legal_order_of_kernels_and_copies_gives_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fed = [SMALL.feeds(number, batch) for number, batch in enumerate((1, 1, 1, 2))]
    wanted = [SMALL.expected(each) for each in fed]
    for seed in range(40):
        machine = Machine(seed)
        machine.kernels = TWINS
        install(monkeypatch, machine)
        with open_network(SMALL, tmp_path / "n", zero_copy=seed % 4 == 0, graphs=seed % 3 != 0) as session:
            assert all(same(*pair) for pair in zip(session.stream(fed), wanted, strict=True)), f"seed {seed}"
        assert (machine.faults, machine.leaks()) == ([], []), f"seed {seed}"


def test_another_batch_captures_anew(where: str, tmp_path: Path) -> None:
    with open_network(SMALL, tmp_path / "n", buffers=1) as session:
        for number, batch in enumerate((1, 1, 1, 3, 3, 3, 2, 2, 2, 1)):
            fed = SMALL.feeds(number, batch)
            assert same(session.run(fed), SMALL.expected(fed))


def test_parts_follow_each_other_in_event_times(where: str, tmp_path: Path) -> None:
    with open_network(SMALL, tmp_path / "n") as session:
        for number in range(3):
            session.run(SMALL.feeds(number))
        (came, loaded), (began, computed), (went, done) = session.timeline().values()
    assert came <= loaded <= began <= computed <= went <= done


def test_sessions_can_be_opened_again_and_again(where: str, tmp_path: Path) -> None:
    fed = SMALL.feeds(0)
    for number in range(20):
        with open_network(SMALL, tmp_path / "n", zero_copy=number % 2 == 0) as session:
            assert same(session.run(fed), SMALL.expected(fed))


def test_a_session_left_open_goes_without_a_word(where: str, tmp_path: Path) -> None:
    session = open_network(SMALL, tmp_path / "n")
    next(session.stream(SMALL.feeds(number) for number in range(3)))
    del session


@pytest.mark.gpu
def test_copies_begin_while_the_neighbour_computes(real: None, tmp_path: Path) -> None:
    """Order alone, no durations: a later picture's copy in begins before the compute of the one before it is over."""
    long = Network(height=256, width=256, layers=1, rounds=20_000)
    with open_network(long, tmp_path / "n") as session:
        lines = [session.timeline() for _ in session.stream(long.feeds(number) for number in range(8))]
    assert any(after["copy_in"][0] < before["compute"][1] for before, after in pairwise(lines))
