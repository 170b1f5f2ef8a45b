"""How long one picture takes: alone after a warm-up, and beside float32 in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass

import numpy as np

from build_engines.device_check.steps import Findings, NotAvailable
from build_engines.device_check.subject import FLOAT32, Subject
from edge_sr.timing import side_by_side

WINDOW = 20  # calls whose median is compared with that of the window before
STABLE = 0.02  # the medians of two windows differ by less
WARM_UP_S = 20.0  # at most: a board whose clocks wander never gets stable
LEAST_CALLS, MOST_CALLS = 30, 20_000
LEAST_FOR_P99 = 100
IN_TURN_ROUNDS = (10, 500)

Clock = Callable[[], float]


@dataclass(frozen=True)
class WarmUp:
    """stable: whether the median stood still before the time was up."""

    calls: int
    seconds: float
    stable: bool


def warm_up(call: Callable[[], object], *, limit_s: float = WARM_UP_S, clock: Clock = time.perf_counter) -> WarmUp:
    """Call until the medians of two windows in a row lie within STABLE of each other, for limit_s at most."""
    start_s, calls, before = clock(), 0, float("inf")
    while clock() - start_s < limit_s:
        median = float(np.median(timed(call, seconds=0, least=WINDOW, clock=clock)))
        calls += WINDOW
        if abs(median - before) <= STABLE * median:
            return WarmUp(calls, clock() - start_s, True)
        before = median
    return WarmUp(calls, clock() - start_s, False)


def timed(
    call: Callable[[], object],
    *,
    seconds: float,
    least: int = LEAST_CALLS,
    most: int = MOST_CALLS,
    clock: Clock = time.perf_counter,
    after: Callable[[], object] = lambda: None,
) -> list[float]:
    """Milliseconds of each call, for so many seconds, at least and at most so many. after: each call, not timed."""
    taken_ms: list[float] = []
    end_s = clock() + seconds
    while len(taken_ms) < least or (len(taken_ms) < most and clock() < end_s):
        start_s = clock()
        call()
        taken_ms.append((clock() - start_s) * 1e3)
        after()
    return taken_ms


def distribution(taken_ms: Sequence[float]) -> dict[str, object]:
    """p99_ms is None below LEAST_FOR_P99 calls, where it would be the slowest call under another name."""
    p50, p90, p99 = (round(float(each), 4) for each in np.percentile(taken_ms, (50, 90, 99)))
    return {
        "calls": len(taken_ms),
        "p50_ms": p50,
        "p90_ms": p90,
        "p99_ms": p99 if len(taken_ms) >= LEAST_FOR_P99 else None,
        "least_ms": round(min(taken_ms), 4),
        "most_ms": round(max(taken_ms), 4),
    }


def measure_latency(subject: Subject, precision: str, *, seconds: float) -> Findings:
    """One tile a call, array in and array out, with no other session open."""
    start_s = time.perf_counter()
    with subject.opened(precision) as session:
        open_ms = (time.perf_counter() - start_s) * 1e3
        (feeds,) = subject.feeds(session)
        parts: list[dict[str, float]] = []
        (first_ms,) = timed(lambda: session.run(feeds), seconds=0, least=1)
        warm = warm_up(lambda: session.run(feeds), limit_s=min(WARM_UP_S, seconds))
        taken_ms = timed(lambda: session.run(feeds), seconds=seconds, after=lambda: parts.append(dict(session.times)))
        figures = {
            "open_ms": round(open_ms, 3),
            "first_call_ms": round(first_ms, 3),
            "warm_up": asdict(warm),
            **distribution(taken_ms),
            "parts_p50_ms": medians(parts),
            "beside_parts_p50_ms": beside_parts(taken_ms, parts),
            "cuda_graph": getattr(session, "cuda_graph", None),
            "zero_copy": getattr(session, "zero_copy", None),  # these two of TensorRT alone
        }
    unstable = "" if warm.stable else "; never got stable"
    p99 = "" if figures["p99_ms"] is None else f", p99 {figures['p99_ms']:.2f}"
    line = f"p50 {figures['p50_ms']:.2f} ms, p90 {figures['p90_ms']:.2f}{p99}; first call {first_ms:.1f} ms{unstable}"
    return Findings(figures, line=line)


def beside_parts(taken_ms: Sequence[float], parts: Sequence[Mapping[str, float]]) -> float | None:
    """The host's share of a call: what neither copies nor compute explain. None where no part is timed."""
    if not all(parts):
        return None
    rest = [ms - sum(each.values()) for ms, each in zip(taken_ms, parts, strict=True)]
    return round(float(np.median(rest)), 4)


def medians(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """By part of a call; {} where the session takes no times."""
    names = dict.fromkeys(name for each in parts for name in each)
    return {name: round(float(np.median([each[name] for each in parts if name in each])), 4) for name in names}


def measure_in_turn(subject: Subject, *, seconds: float) -> Findings:
    """Float32 in ONNX Runtime and every engine call by call in turn, so that the machine's moods fall on all alike."""
    if not subject.engines:
        raise NotAvailable("there is no engine to compare with float32")
    with ExitStack() as stack:
        calls = {}
        for precision in (FLOAT32, *subject.engines):
            session = stack.enter_context(subject.opened(precision))
            calls[precision] = _call(session.run, subject.feeds(session)[0])
        once_ms = sum(side_by_side(calls, rounds=1, warmup=2).values())
        rounds = int(np.clip(seconds * 1e3 / once_ms, *IN_TURN_ROUNDS))
        p50_ms = side_by_side(calls, rounds=rounds, warmup=5)
    times = {name: round(p50_ms[FLOAT32] / ms, 3) for name, ms in p50_ms.items() if name != FLOAT32}
    figures = {
        "rounds": rounds,
        "p50_ms": {name: round(ms, 4) for name, ms in p50_ms.items()},
        "times_as_fast": times,
        "float32_in": "onnxruntime",
    }
    return Findings(
        figures, line=", ".join(f"{name} {each:.2f} times as fast as float32" for name, each in times.items())
    )


def _call(function: Callable[..., object], argument: object) -> Callable[[], object]:
    return lambda: function(argument)
