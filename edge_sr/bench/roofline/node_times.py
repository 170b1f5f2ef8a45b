"""What each node of a graph takes in ONNX Runtime on this machine, by its own profiler."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.tensors import Tensors, TensorSpec

_EVENT = "_kernel_time"  # after a node's name; onnxruntime/core/framework/sequential_executor.cc


@dataclass(frozen=True)
class NodeTime:
    """One node: its operator, and the median and the least of its times."""

    kind: str
    median_ms: float
    least_ms: float


@dataclass(frozen=True)
class Profile:
    """session_ms, session_least_ms: median and least of whole runs without the profiler, which slows them down.

    nodes: by name. load: of the machine over the last minute when it was done, beside this process; None where the
    system does not tell.
    """

    threads: int | None
    runs: int
    session_ms: float
    session_least_ms: float
    nodes: Mapping[str, NodeTime]
    load: float | None

    def summary(self) -> dict[str, object]:
        return {
            "threads": self.threads,
            "runs": self.runs,
            "session_ms": self.session_ms,
            "session_least_ms": self.session_least_ms,
            "nodes_ms": sum(node.median_ms for node in self.nodes.values()),
            "load_average": self.load,
        }


def node_times(artifact: Path, *, threads: int | None = None, runs: int = 100, warm_up: int = 10) -> Profile:
    """Run the file ``runs`` times, one picture each, without and then with the profiler.

    threads: as of ``OnnxRuntime``. The least times are what the machine can do, the medians what it did meanwhile.
    """
    backend = OnnxRuntime(threads)
    with backend.open(artifact) as session:
        feeds = _feeds(session.inputs)
        whole = [_timed(lambda: session.run(feeds)) for _ in range(warm_up + runs)][warm_up:]
    with tempfile.TemporaryDirectory() as folder:
        profiled = backend.inference_session(artifact, profile=Path(folder) / "profile")
        for _ in range(warm_up + runs):
            profiled.run(None, feeds)
        events = json.loads(Path(profiled.end_profiling()).read_text("utf-8"))
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return Profile(threads, runs, statistics.median(whole), min(whole), _nodes(events, warm_up), load)


def _nodes(events: Iterable[Mapping[str, Any]], warm_up: int) -> dict[str, NodeTime]:
    """events: of the profiler's file; the first ``warm_up`` of each node do not count."""
    taken: dict[str, list[float]] = {}
    kinds = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(_EVENT):
            name = event["name"].removesuffix(_EVENT)
            kinds[name] = event["args"]["op_name"]
            taken.setdefault(name, []).append(event["dur"] / 1e3)
    return {
        name: NodeTime(kinds[name], statistics.median(times[warm_up:]), min(times[warm_up:]))
        for name, times in taken.items()
        if len(times) > warm_up
    }


def _feeds(specs: Iterable[TensorSpec]) -> Tensors:
    """Something between 0 and 1, one picture of it."""
    rng = np.random.default_rng(0)
    shapes = {spec.name: [axis if isinstance(axis, int) else 1 for axis in spec.shape] for spec in specs}
    return {spec.name: rng.random(shapes[spec.name]).astype(spec.dtype) for spec in specs}


def _timed(call: Any) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3
