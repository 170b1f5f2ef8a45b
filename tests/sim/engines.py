"""A small engine for the tests of the backend, what it computes, and feeds for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from tests.sim.engine_file import EngineFile

# Two inputs with a free batch, one without, two outputs of different shapes.
GRAPH = """<ir_version: 10, opset_import: ["" : 20]>
g (float[N,1,4,4] lr, float[N,1,4,4] noise, float[1] share) => (float[N,1,8,8] sr, float[N] mean)
<float[4] twice = {1,1,2,2}, int64[3] axes = {1,2,3}> {
    part = Mul(noise, share)  sum = Add(lr, part)  sr = Resize<mode="nearest">(sum, , twice)
    mean = ReduceMean<keepdims=0>(sum, axes)
}"""
MOST = 3
MODEL = onnx.parser.parse_model(GRAPH).SerializeToString()
_session = onnxruntime.InferenceSession(MODEL, providers=["CPUExecutionProvider"])

Feeds = dict[str, np.ndarray]


def write_engine(path: Path, *, version: str = "10.3.0", text: str = GRAPH) -> Path:
    """As compile_trt would, with the batches 1 to MOST."""
    shapes = {name: [[1, 1, 4, 4], [1, 1, 4, 4], [MOST, 1, 4, 4]] for name in ("lr", "noise") if f"] {name}" in text}
    model = onnx.parser.parse_model(text).SerializeToString()
    path.write_bytes(EngineFile(f"{version} simulated", shapes, True, model).to_bytes())
    return path


def feeds(number: int, batch: int = 1) -> Feeds:
    random = np.random.default_rng(number)
    pictures = {name: random.random((batch, 1, 4, 4), np.float32) for name in ("lr", "noise")}
    return {**pictures, "share": np.array([0.25], np.float32)}


def expected(fed: Feeds) -> Feeds:
    return dict(zip(("sr", "mean"), _session.run(["sr", "mean"], fed), strict=True))


def same(got: object, want: Feeds) -> bool:
    """Bit for bit."""
    assert isinstance(got, dict)
    return got.keys() == want.keys() and all(np.array_equal(got[name], want[name]) for name in want)
