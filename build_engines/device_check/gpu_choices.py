"""What TensorRT leaves open on a GPU: copies or shared memory, single launches or a CUDA graph. Both ways, in turn."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict

import numpy as np

from build_engines.device_check.steps import Findings, NotAvailable
from build_engines.device_check.subject import Subject
from edge_sr.timing import side_by_side

ROUNDS = (20, 2000)


def measure_memory_ways(subject: Subject) -> Findings:
    """Zero-copy against copies; ``edge-sr run`` takes the faster one from now on, as do the steps after this."""
    _on_tensorrt_alone(subject)
    from edge_sr.backends.trt.host_memory import measure_host_memory, record_host_memory

    entry = subject.fastest()
    measured = measure_host_memory(subject.artifact(entry.key.precision))
    record_host_memory(subject.cache, measured)
    figures = {**asdict(measured), "zero_copy": measured.zero_copy, "engine": entry.name}
    line = f"copies {measured.copies_ms:.3f} ms, zero-copy {measured.zero_copy_ms:.3f} ms a picture"
    return Findings(figures, line=line)


def measure_cuda_graph(subject: Subject, precision: str, *, seconds: float) -> Findings:
    """The same engine with a CUDA graph and with plain launches."""
    _on_tensorrt_alone(subject)
    with ExitStack() as stack:
        on = stack.enter_context(subject.opened(precision, cuda_graph=True))
        off = stack.enter_context(subject.opened(precision, cuda_graph=False))
        (feeds,) = subject.feeds(on)
        calls = {"graph": lambda: on.run(feeds), "launches": lambda: off.run(feeds)}
        once_ms = sum(side_by_side(calls, rounds=3, warmup=5).values())  # a graph is captured in the second call
        rounds = int(np.clip(seconds * 1e3 / once_ms, *ROUNDS))
        p50_ms = side_by_side(calls, rounds=rounds, warmup=5)
        state = str(getattr(on, "cuda_graph", ""))
    ratio = p50_ms["launches"] / p50_ms["graph"]
    figures = {
        "state": state,
        "rounds": rounds,
        "p50_ms": {name: round(ms, 4) for name, ms in p50_ms.items()},
        "times_as_fast": round(ratio, 3),
    }
    return Findings(figures, line=f"{state}; {ratio:.2f} times as fast as plain launches")


def _on_tensorrt_alone(subject: Subject) -> None:
    if not subject.tensorrt:
        raise NotAvailable("of TensorRT alone")
