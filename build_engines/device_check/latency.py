"""How long one picture takes: alone after a warm-up, and beside float32 in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict

import numpy as np

from build_engines.device_check.steps import Findings, NotAvailable
from build_engines.device_check.subject import FLOAT32, Subject
from edge_sr.bench.latency import WARM_UP_S, medians, timed, times_of, warm_up
from edge_sr.timing import side_by_side

IN_TURN_ROUNDS = (10, 500)


def distribution(taken_ms: Sequence[float]) -> dict[str, object]:
    """Of ``edge_sr.bench.latency.times_of`` what fits on a line of the report."""
    times = times_of(taken_ms)
    return {name: getattr(times, name) for name in ("calls", "p50_ms", "p90_ms", "p99_ms", "least_ms", "most_ms")}


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
