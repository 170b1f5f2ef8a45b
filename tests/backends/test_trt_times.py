"""Results in the caller's arrays, and the times of copies and compute, on the simulated GPU.

Its clock counts steps (a copy or an inference is one), so order and sums can be held, and no time.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from edge_sr.backends.trt import EngineSession, TensorRT
from edge_sr.errors import AccuracyError, EdgeSRError
from tests.sim.engines import GRAPH, Feeds, expected, feeds, same, write_engine
from tests.sim.install import install
from tests.sim.machine import Machine

MODES = [(zero_copy, graph) for zero_copy in (False, True) for graph in (False, True)]
NAMES = {False: ["copy_in", "compute", "copy_out"], True: ["compute"]}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    machine = Machine()
    install(monkeypatch, machine)
    yield machine
    assert (machine.faults, machine.leaks()) == ([], [])


@pytest.fixture
def engine(tmp_path: Path, machine: Machine) -> Path:
    return write_engine(tmp_path / "g.engine")


def empty(batch: int = 1) -> Feeds:
    return {"sr": np.empty((batch, 1, 8, 8), np.float32), "mean": np.empty(batch, np.float32)}


# the caller's arrays


@pytest.mark.parametrize(("zero_copy", "graph"), MODES)
def test_results_lie_in_the_arrays_that_were_given(zero_copy: bool, graph: bool, engine: Path) -> None:
    with TensorRT(zero_copy=zero_copy, cuda_graph=graph).open(engine) as session:
        for number in range(4):
            out = empty()
            got = session.run(feeds(number), out=out)
            assert all(got[name] is out[name] for name in out)
            assert same(out, expected(feeds(number)))


def test_what_has_no_array_gets_a_new_one(engine: Path) -> None:
    with TensorRT().open(engine) as session:
        out = {"sr": empty()["sr"]}
        got = session.run(feeds(1), out=out)
        assert got["sr"] is out["sr"] and same(got, expected(feeds(1)))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"more": np.empty(1)}, "no such output: more"),
        ({"sr": np.empty((1, 1, 8, 8), np.float64)}, "cannot take an output in float64"),
        ({"sr": np.empty((1, 1, 8, 9), np.float32)[..., :8]}, "sr: .*C-contiguous"),
        ({"mean": np.empty(2, np.float32)}, "mean: cannot take an output in .2.; expected .1."),
    ],
)
def test_an_array_that_does_not_fit_is_named(change: Feeds, reason: str, engine: Path) -> None:
    with TensorRT().open(engine) as session:
        with pytest.raises(EdgeSRError, match=reason):
            session.run(feeds(0), out={**empty(), **change})
        assert same(session.run(feeds(0), out=empty()), expected(feeds(0)))


def test_a_broken_picture_is_not_written(machine: Machine, tmp_path: Path) -> None:
    body = "g (float[N,1,4,4] lr) => (float[N,1,4,4] sr) <float zero = {0}> { sr = Div(lr, zero) }"
    engine = write_engine(tmp_path / "broken", text=GRAPH[: GRAPH.index("g (")] + body)
    out = {"sr": np.full((1, 1, 4, 4), 7, np.float32)}
    with TensorRT().open(engine) as session, pytest.raises(AccuracyError):
        session.run({"lr": feeds(0)["lr"]}, out=out)
    assert (out["sr"] == 7).all()


@pytest.mark.parametrize(("zero_copy", "graph"), MODES)
def test_sixty_four_pictures_in_a_stream_are_bit_for_bit_those_of_runs(
    zero_copy: bool, graph: bool, engine: Path
) -> None:
    fed, options = [feeds(number) for number in range(64)], {"zero_copy": zero_copy, "cuda_graph": graph}
    with TensorRT(**options).open(engine) as one, TensorRT(**options).open(engine) as other:
        streamed = list(one.stream(fed))
        assert one.cuda_graph == ("captured" if graph else "not wanted")
        for got, each in zip(streamed, fed, strict=True):
            assert same(got, other.run(each, out=empty()))


@pytest.mark.parametrize("zero_copy", [False, True])
def test_the_host_waits_for_one_event_a_picture_and_for_nothing_else(
    zero_copy: bool, machine: Machine, engine: Path
) -> None:
    with TensorRT(zero_copy=zero_copy).open(engine) as session:
        session.run(feeds(0))
        warm = len(machine.names)
        session.run(feeds(1))
        list(session.stream(feeds(number) for number in range(4)))
        waits = [name for name in machine.names[warm:] if "ynchronize" in name]
    assert waits == ["Event.synchronize"] * 5


# times


def timed(session: EngineSession) -> EngineSession:
    """As on a real GPU; what comes from the simulator is no time and is not shown otherwise."""
    session.simulated = False
    return session


@pytest.mark.parametrize(("zero_copy", "graph"), MODES)
def test_every_part_of_a_call_has_its_time(zero_copy: bool, graph: bool, engine: Path) -> None:
    with timed(TensorRT(zero_copy=zero_copy, cuda_graph=graph).open(engine)) as session:
        assert session.times == {}
        for number in range(3):  # plainly, captured, replayed
            session.run(feeds(number))
            assert list(session.times) == NAMES[zero_copy]
            steps = {"copy_in": 3, "compute": 1, "copy_out": 2}  # as many as there are inputs, inferences, outputs
            assert session.times == {name: steps[name] for name in NAMES[zero_copy]}


def test_a_stream_tells_the_times_of_the_picture_it_gives(engine: Path) -> None:
    with timed(TensorRT().open(engine)) as session:
        for _ in session.stream(feeds(number) for number in range(5)):
            assert list(session.times) == NAMES[False] and min(session.times.values()) > 0


def test_what_the_simulator_counts_is_not_given_out_as_time(engine: Path) -> None:
    with TensorRT().open(engine) as session:
        session.run(feeds(0))
        assert session.times == {}


def test_times_that_are_not_wanted_are_not_taken(machine: Machine, engine: Path) -> None:
    with timed(TensorRT(timed=False).open(engine)) as session:
        session.run(feeds(0))
        assert session.times == {} and session.timeline() == {}
    assert "Event.time_since" not in machine.names


def test_the_timeline_shows_one_part_after_the_other(engine: Path) -> None:
    with TensorRT().open(engine) as session:
        session.run(feeds(0))
        session.run(feeds(1))
        (came, loaded), (began, computed), (went, done) = session.timeline().values()
    assert 0 < came < loaded <= began < computed <= went < done


def test_there_is_no_timeline_once_its_buffers_were_taken_again(engine: Path) -> None:
    with TensorRT(buffers=1).open(engine) as session:
        assert session.timeline() == {}
        session.run(feeds(0))
        assert session.timeline() != {}
        with pytest.raises(AccuracyError):
            session.run({**feeds(0), "share": np.array([np.nan], np.float32)})
        assert session.timeline() == {}


def test_in_a_random_order_neighbours_overlap(engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of some pictures in a stream, the copy in begins before the compute of the one before is over."""
    early = 0
    for seed in range(10):
        install(monkeypatch, Machine(seed))
        with TensorRT(cuda_graph=False).open(engine) as session:
            lines = [session.timeline() for _ in session.stream(feeds(number) for number in range(6))]
        early += sum(after["copy_in"][0] < before["compute"][1] for before, after in pairwise(lines))
    assert early > 0
