from __future__ import annotations

from pathlib import Path

import pytest

onnx = pytest.importorskip("onnx", reason="graphs are written with onnx")
pytest.importorskip("onnxruntime", reason="its profiler is read")

from edge_sr.bench.roofline.node_times import _nodes, node_times  # noqa: E402
from tests.bench.roofline.graphs import chain  # noqa: E402


def event(name: str, dur: float, cat: str = "Node") -> dict[str, object]:
    return {"cat": cat, "name": name, "dur": dur, "args": {"op_name": "Conv"}}


def test_median_and_least_of_each_node_after_the_first_runs() -> None:
    events = [event("a_kernel_time", dur) for dur in (9000, 1000, 3000, 2000)]
    events += [event("model_run", 5, "Session"), event("a_fence_before", 1)]
    (node,) = _nodes(events, warm_up=1).values()
    assert (node.kind, node.median_ms, node.least_ms) == ("Conv", 2.0, 1.0)


def test_every_node_of_an_optimised_graph_is_timed(tmp_path: Path) -> None:
    from edge_sr.backends.onnxrt import OnnxRuntime

    onnx.save(chain(), tmp_path / "graph.onnx")
    OnnxRuntime(1).inference_session(tmp_path / "graph.onnx", optimized=tmp_path / "engine")
    profile = node_times(tmp_path / "engine", threads=1, runs=3, warm_up=1)
    assert set(profile.nodes) == {node.name for node in onnx.load(str(tmp_path / "engine")).graph.node}
    assert profile.session_least_ms <= profile.session_ms and profile.runs == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["engine", "graph.onnx"]
