"""What each node of a graph takes in ONNX Runtime on this machine, by its own profiler."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.tensors import Tensors, TensorSpec

IN_A_ROW = 5
_EVENT = "_kernel_time"  # after a node's name; onnxruntime/core/framework/sequential_executor.cc


@dataclass(frozen=True)
class NodeTime:
    """One node: its operator, and the median, the least and the lower quartile of its times.

    The quartile is what it takes where other programs do not keep it waiting, and no lucky exception either.
    """

    kind: str
    median_ms: float
    least_ms: float
    quartile_ms: float


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
        feeds = feeds_for(session.inputs)
        whole = [_timed(lambda: session.run(feeds)) for _ in range(warm_up + runs)][warm_up:]
    nodes = profiles(backend, {"": artifact}, feeds, runs=runs, warm_up=warm_up)[""]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return Profile(threads, runs, statistics.median(whole), min(whole), nodes, load)


def profiles(
    backend: OnnxRuntime, artifacts: Mapping[str, Path], feeds: Tensors, *, runs: int, warm_up: int
) -> dict[str, dict[str, NodeTime]]:
    """The times of the nodes of each file, by their names, which they have to have. The files are run in turn, so that
    whatever else the machine does falls on all alike, and IN_A_ROW times each, so that most runs find their own
    weights and buffers in the caches.
    """
    with tempfile.TemporaryDirectory() as folder:
        sessions = {
            name: backend.inference_session(artifact, profile=Path(folder) / f"profile{number}")
            for number, (name, artifact) in enumerate(artifacts.items())
        }
        for first in range(0, warm_up + runs, IN_A_ROW):
            for session in sessions.values():
                for _ in range(min(IN_A_ROW, warm_up + runs - first)):
                    session.run(None, feeds)
        files = {name: Path(session.end_profiling()) for name, session in sessions.items()}
        return {name: _nodes(json.loads(file.read_text("utf-8")), warm_up) for name, file in files.items()}


def _nodes(events: Iterable[Mapping[str, Any]], warm_up: int) -> dict[str, NodeTime]:
    """events: of the profiler's file; the first ``warm_up`` of each node do not count."""
    taken: dict[str, list[float]] = {}
    kinds = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(_EVENT):
            name = event["name"].removesuffix(_EVENT)
            kinds[name] = event["args"]["op_name"]
            taken.setdefault(name, []).append(event["dur"] / 1e3)
    return {name: _node_time(kinds[name], times[warm_up:]) for name, times in taken.items() if len(times) > warm_up}


def _node_time(kind: str, times: Sequence[float]) -> NodeTime:
    return NodeTime(kind, statistics.median(times), min(times), float(np.quantile(times, 0.25)))


def feeds_for(specs: Iterable[TensorSpec], *, seed: int = 0) -> Tensors:
    """Something between 0 and 1, one picture of it."""
    rng = np.random.default_rng(seed)
    shapes = {spec.name: [axis if isinstance(axis, int) else 1 for axis in spec.shape] for spec in specs}
    return {spec.name: rng.random(shapes[spec.name]).astype(spec.dtype) for spec in specs}


def _timed(call: Any) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3
