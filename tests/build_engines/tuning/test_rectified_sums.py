"""A ReLU behind a sum is done on the codes: the same numbers, and the sum is one of codes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="graphs are written with onnx")
pytest.importorskip("onnxruntime", reason="the graphs run in ONNX Runtime")

from build_engines.tuning.rectified_sums import rectified_on_codes  # noqa: E402
from edge_sr.backends.onnxrt import OnnxRuntime  # noqa: E402
from tests.build_engines.tuning.eight_bit import computed  # noqa: E402

OF_CODES = "a = QuantizeLinear(x, s, z) b = DequantizeLinear(a, s, z)"
RECTIFIED = "t = Add(b, b) r = Relu(t) q = QuantizeLinear(r, u, v) y = DequantizeLinear(q, u, v)"


def graph(body: str, *, zero_point: int = 40) -> onnx.ModelProto:
    constants = f"<float s = {{0.05}}, uint8 z = {{100}}, float u = {{0.0625}}, uint8 v = {{{zero_point}}}>"
    return onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["" : 20]> g (float[N,500] x) => (float[N,500] y) {constants} {{ {body} }}'
    )


def operators(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def numbers() -> dict[str, np.ndarray]:
    return {"x": np.random.default_rng(0).uniform(-8, 8, (3, 500)).astype(np.float32)}


def test_the_codes_are_those_of_the_rectified_sum(tmp_path: Path) -> None:
    model = graph(f"{OF_CODES} {RECTIFIED}")
    rewritten = rectified_on_codes(model)
    assert operators(rewritten)["Relu"] == 0 and operators(rewritten)["Clip"] == 1
    expected = onnx.reference.ReferenceEvaluator(model).run(None, numbers())
    assert np.array_equal(onnx.reference.ReferenceEvaluator(rewritten).run(None, numbers()), expected)
    # ONNX Runtime adds codes by another formula: where a sum lies between two codes it may take the other.
    np.testing.assert_allclose(computed(rewritten, numbers(), tmp_path), expected[0], atol=0.0625)


def test_onnx_runtime_then_adds_in_8_bits(tmp_path: Path) -> None:
    found = []
    for model in (graph(f"{OF_CODES} {RECTIFIED}"), rectified_on_codes(graph(f"{OF_CODES} {RECTIFIED}"))):
        onnx.save(model, tmp_path / "graph.onnx")
        OnnxRuntime(1).inference_session(tmp_path / "graph.onnx", optimized=tmp_path / "engine")
        found.append(operators(onnx.load(tmp_path / "engine")))
    assert found[0]["QLinearAdd"] == 0 and found[0]["Add"] == 1
    assert found[1]["QLinearAdd"] == 1 and found[1]["Add"] == 0


@pytest.mark.parametrize(
    ("body", "zero_point"),
    [
        (f"{OF_CODES} {RECTIFIED}", 0),  # ONNX Runtime drops that ReLU by itself
        (f"{OF_CODES} t = Add(b, x) {RECTIFIED.partition(') ')[2]}", 40),
        (f"{OF_CODES} {RECTIFIED.replace(' y =', ' d =')} y = Add(d, r)", 40),
    ],
    ids=["lowest", "of a float", "read twice"],
)
def test_others_stay(body: str, zero_point: int) -> None:
    model = graph(body, zero_point=zero_point)
    assert rectified_on_codes(model) is model
