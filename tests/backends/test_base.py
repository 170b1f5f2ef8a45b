"""The fake session keeps the promises of the protocol, so that what is tested with it holds for the real ones."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from edge_sr.backends.base import FakeSession, Session, stream_by_run
from edge_sr.errors import EdgeSRError
from edge_sr.tensors import Tensors, TensorSpec

X = TensorSpec("x", ("N", 2), "float32")
Y = TensorSpec("y", ("N", 2), "float32")


def twice() -> Session:
    return FakeSession([X], [Y], lambda feeds: {"y": feeds["x"] * 2})


def feeds(value: float, rows: int = 1) -> Tensors:
    return {"x": np.full((rows, 2), value, np.float32)}


def test_run_calls_the_function() -> None:
    session = twice()
    assert (session.inputs, session.outputs) == ((X,), (Y,))
    assert session.run(feeds(3, rows=4))["y"].tolist() == [[6, 6]] * 4


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({}, "x: input is missing"),
        ({"x": np.zeros((1, 3), np.float32)}, r"x: got float32\[1, 3\]; expected x float32\[N, 2\]"),
        ({"x": np.zeros((1, 2))}, "x: got float64"),
        ({**feeds(0), "z": np.zeros(1)}, "no such input: z"),
    ],
)
def test_unfit_feeds_are_named(wrong: Tensors, reason: str) -> None:
    with pytest.raises(EdgeSRError, match=reason):
        twice().run(wrong)


def test_an_array_given_for_an_output_is_written_into() -> None:
    out = {"y": np.zeros((2, 2), np.float32)}
    assert twice().run(feeds(3, rows=2), out=out)["y"] is out["y"]
    assert out["y"].tolist() == [[6, 6]] * 2


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((1, 3), np.float32), r"cannot take an output in float32\[1, 3\]; expected y float32\[N, 2\]"),
        (np.zeros((2, 2), np.float32), r"y: cannot take an output in \[2, 2\]; expected \[1, 2\]"),
        (np.zeros((3, 4), np.float32)[:1, ::2], "y: cannot take an output; expected a C-contiguous array"),
        (np.broadcast_to(np.float32(0), (1, 2)), "y: cannot take an output; expected a C-contiguous array"),
    ],
)
def test_an_array_that_no_output_fits_is_told(array: np.ndarray, reason: str) -> None:
    with pytest.raises(EdgeSRError, match=reason):
        twice().run(feeds(1), out={"y": array})


def test_no_time_is_told_where_none_is_measured() -> None:
    session = twice()
    session.run(feeds(1))
    assert session.times == {}


def test_stream_keeps_the_order() -> None:
    assert [int(out["y"][0, 0]) for out in twice().stream(feeds(n) for n in range(5))] == [0, 2, 4, 6, 8]


def test_stream_takes_feeds_only_as_results_are_asked_for() -> None:
    taken = []

    def source() -> Iterator[Tensors]:
        for n in range(5):
            taken.append(n)
            yield feeds(n)

    next(stream_by_run(twice(), source()))
    assert taken == [0]


def test_a_closed_session_refuses_to_run() -> None:
    with twice() as session:
        session.run(feeds(1))
    session.close()
    with pytest.raises(EdgeSRError, match="session is closed"):
        session.run(feeds(1))
