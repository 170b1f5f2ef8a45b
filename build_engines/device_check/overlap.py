"""A stream of many pictures against ``run`` in a loop: whether it gives the same, and how much faster it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest

import numpy as np

from build_engines.device_check.steps import Findings
from build_engines.device_check.subject import Subject
from edge_sr.backends.base import Session
from edge_sr.bench.latency import timed
from edge_sr.tensors import Tensors
from edge_sr.timing import side_by_side

PICTURES = 64
ROUNDS = (3, 50)
SHOWN = 16  # pictures whose way is told part by part

Timeline = Mapping[str, tuple[float, float]]  # part -> begin and end in ms


def measure_overlap(subject: Subject, precision: str, *, seconds: float) -> Findings:
    """PICTURES pictures both ways; one bit that differs is a fault."""
    with subject.opened(precision) as session:
        feeds = subject.feeds(session, PICTURES)
        differing = different(session, feeds)
        ways = _ways(session, feeds)
        (once_ms,) = timed(ways["loop"], seconds=0, least=1)
        rounds = int(np.clip(seconds * 1e3 / (2 * once_ms), *ROUNDS))
        p50_ms = side_by_side(ways, rounds=rounds, warmup=0)  # both have run already
        shown = [] if subject.simulated else timelines(session, feeds[:SHOWN])
    ratio = p50_ms["loop"] / p50_ms["stream"]
    figures = {
        "pictures": PICTURES,
        "rounds": rounds,
        "bit_equal": not differing,
        "differing_pictures": differing,
        "loop_ms_a_picture": round(p50_ms["loop"] / PICTURES, 4),
        "stream_ms_a_picture": round(p50_ms["stream"] / PICTURES, 4),
        "times_as_fast": round(ratio, 3),
        "copies_hidden": copies_hidden(shown),
        "timelines_ms": [{part: [round(ms, 4) for ms in ends] for part, ends in each.items()} for each in shown],
    }
    faults = (f"{len(differing)} of {PICTURES} pictures of a stream differ from run's",) if differing else ()
    return Findings(figures, faults, f"a stream is {ratio:.2f} times as fast as run, bit for bit the same")


def _ways(session: Session, feeds: Sequence[Tensors]) -> dict[str, Callable[[], object]]:
    """Both let go of each result before they take the next, as a service does."""

    def loop() -> None:
        for each in feeds:
            session.run(each)

    def stream() -> None:
        for _ in session.stream(feeds):
            pass

    return {"loop": loop, "stream": stream}


def different(session: Session, feeds: Sequence[Tensors]) -> list[int]:
    """Numbers of the pictures of which the stream makes anything else than ``run``."""
    one_by_one = [session.run(each) for each in feeds]
    nothing: Tensors = {}  # one too few or too many differs as well
    pairs = zip_longest(one_by_one, session.stream(feeds), fillvalue=nothing)
    return [number for number, pair in enumerate(pairs) if not _same(*pair)]


def _same(one: Tensors, other: Tensors) -> bool:
    """Bit for bit, so that a NaN equals itself and 0.0 is not -0.0."""
    return one.keys() == other.keys() and all(one[name].tobytes() == other[name].tobytes() for name in one)


def timelines(session: Session, feeds: Sequence[Tensors]) -> list[Timeline]:
    """When each picture of a stream was copied and computed; [] where the session does not tell."""
    timeline: Callable[[], Timeline] | None = getattr(session, "timeline", None)
    if timeline is None:
        return []
    return [dict(timeline()) for _ in session.stream(feeds)]


def copies_hidden(shown: Sequence[Timeline]) -> float | None:
    """The share of all copying during which some picture was computed, 0 to 1; None where nothing was copied."""
    computed = [each["compute"] for each in shown if "compute" in each]  # one after the other: they share a stream
    copied = [ends for each in shown for part, ends in each.items() if part != "compute"]
    whole = sum(end - begin for begin, end in copied)
    hidden = sum(max(0.0, min(end, stop) - max(begin, start)) for begin, end in copied for start, stop in computed)
    return round(hidden / whole, 4) if whole > 0 else None
