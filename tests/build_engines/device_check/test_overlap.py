from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from build_engines.device_check.overlap import copies_hidden, different, timelines
from edge_sr.backends.base import FakeSession
from edge_sr.tensors import Tensors, TensorSpec

X, Y = TensorSpec("x", ("N",), "float32"), TensorSpec("y", ("N",), "float32")
FEEDS = [{"x": np.array([number], np.float32)} for number in range(4)]


class LateSession(FakeSession):
    """A stream that reads a buffer too late gives the next picture's result."""

    def stream(self, feeds: Iterable[Tensors]) -> Iterator[Tensors]:
        results = [self.run(each) for each in feeds]
        yield from [*results[:2], results[3], results[3]]


class ShortSession(FakeSession):
    """A stream that forgets what is still under way at its end."""

    def stream(self, feeds: Iterable[Tensors]) -> Iterator[Tensors]:
        yield from [self.run(each) for each in feeds][:-1]


def session_of(kind: type[FakeSession]) -> FakeSession:
    return kind((X,), (Y,), lambda feeds: {"y": feeds["x"] * 2})


def test_a_stream_that_gives_what_run_gives_has_no_differing_picture() -> None:
    assert different(session_of(FakeSession), FEEDS) == []


def test_a_picture_that_differs_is_named() -> None:
    assert different(session_of(LateSession), FEEDS) == [2]


def test_a_picture_that_does_not_come_differs() -> None:
    assert different(session_of(ShortSession), FEEDS) == [3]


def test_bits_are_compared_and_not_values() -> None:
    answers = iter([np.float32("nan"), np.float32(0.0), np.float32("nan"), np.float32(-0.0)])
    session = FakeSession((X,), (Y,), lambda feeds: {"y": np.array([next(answers)], np.float32)})
    assert different(session, FEEDS[:2]) == [1]


def test_a_copy_during_another_pictures_compute_is_hidden() -> None:
    first = {"copy_in": (0.0, 2.0), "compute": (2.0, 6.0), "copy_out": (6.0, 8.0)}
    second = {"copy_in": (4.0, 6.0), "compute": (6.0, 10.0), "copy_out": (10.0, 12.0)}
    assert copies_hidden([first, second]) == 0.5  # the second one's way in, the first one's way out
    assert copies_hidden([first]) == 0.0


def test_without_copies_there_is_nothing_to_hide() -> None:
    assert copies_hidden([]) is None
    assert copies_hidden([{"compute": (0.0, 1.0)}]) is None
    assert timelines(session_of(FakeSession), FEEDS) == []
