"""Rewrites for ONNX Runtime: they change nothing that is computed, and leave nothing that falls back to float32."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from edge_sr.artifacts.bundle import Bundle, default_bundle
from edge_sr.artifacts.chain import chain_of
from edge_sr.backends.onnxrt import OnnxRuntime

onnx = pytest.importorskip("onnx", reason="graphs are written with onnx")
pytest.importorskip("onnxruntime", reason="the graphs run in ONNX Runtime")

from build_engines.chain_graphs import float_graphs, observed_tensors  # noqa: E402
from build_engines.precision.onnxrt_kernels import after_quantizing, before_quantizing  # noqa: E402
from build_engines.quantize import insert_qdq, placement  # noqa: E402

HEADER = '<ir_version: 10, opset_import: ["" : 20]>'


def computed(model: onnx.ModelProto, feeds: dict[str, np.ndarray], folder: Path) -> np.ndarray:
    onnx.save(model, folder / "graph.onnx")
    with OnnxRuntime(1).open(folder / "graph.onnx") as session:
        (result,) = session.run(feeds).values()
    return result


def operators(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def constant(name: str, shape: tuple[int, ...], seed: int = 0) -> onnx.TensorProto:
    values = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return onnx.numpy_helper.from_array(values, name)


def graph(text: str, *constants: onnx.TensorProto) -> onnx.ModelProto:
    model = onnx.parser.parse_model(f"{HEADER} g (float[N,6,5,7] x) => (float[N,C,H,W] y) {{ {text} }}")
    model.graph.initializer.extend(constants)
    return model


@pytest.mark.parametrize("bias", [True, False])
def test_a_transposed_convolution_is_a_convolution_and_a_shuffle(bias: bool, tmp_path: Path) -> None:
    weights = [constant("w", (6, 3, 2, 2)), *([constant("b", (3,), 1)] if bias else [])]
    inputs = ", ".join(["x", *(w.name for w in weights)])
    model = graph(f"y = ConvTranspose<kernel_shape=[2,2], strides=[2,2]>({inputs})", *weights)
    rewritten = before_quantizing(model)
    assert operators(rewritten) == {"Conv": 1, "DepthToSpace": 1}
    x = np.random.default_rng(2).standard_normal((2, 6, 5, 7)).astype(np.float32)
    expected = computed(model, {"x": x}, tmp_path)
    np.testing.assert_allclose(computed(rewritten, {"x": x}, tmp_path), expected, atol=1e-5)


@pytest.mark.parametrize(
    "attributes",
    ["kernel_shape=[3,3], strides=[2,2]", "kernel_shape=[2,2], strides=[1,1]", "strides=[2,2], pads=[1,1,1,1]"],
)
def test_one_whose_blocks_overlap_or_are_cut_stays(attributes: str) -> None:
    k = 3 if "3,3" in attributes else 2
    model = graph(f"y = ConvTranspose<{attributes}>(x, w)", constant("w", (6, 3, k, k)))
    assert operators(before_quantizing(model)) == {"ConvTranspose": 1}


def test_a_shuffle_moves_whole_pixels_after_its_channels_were_ordered(tmp_path: Path) -> None:
    model = graph(
        'h = Conv(x, w, b)  r = Relu(h)  y = DepthToSpace<blocksize=2, mode="CRD">(r)',
        constant("w", (12, 6, 1, 1)),
        constant("b", (12,), 1),
    )
    rewritten = before_quantizing(model)
    (mode,) = (a.s for n in rewritten.graph.node for a in n.attribute if a.name == "mode")
    assert mode == b"DCR"
    x = np.random.default_rng(2).standard_normal((1, 6, 5, 7)).astype(np.float32)
    expected = computed(model, {"x": x}, tmp_path)
    np.testing.assert_allclose(computed(rewritten, {"x": x}, tmp_path), expected, atol=1e-5)


def test_channels_that_something_else_reads_keep_their_order() -> None:
    model = graph(
        'h = Conv(x, w)  s = DepthToSpace<blocksize=2, mode="CRD">(h)  t = ReduceMean(h)  y = Add(s, t)',
        constant("w", (12, 6, 1, 1)),
    )
    (mode,) = (a.s for n in before_quantizing(model).graph.node for a in n.attribute if a.name == "mode")
    assert mode == b"CRD"


@pytest.mark.parametrize("zero_point", [0, 100])
@pytest.mark.parametrize("operator", ["Relu", 'DepthToSpace<blocksize=2, mode="DCR">'])
def test_what_stands_between_equal_pairs_is_done_on_the_codes(operator: str, zero_point: int, tmp_path: Path) -> None:
    ports = "(float[N,8,5,7] x) => (float[N,C,H,W] y)"
    model = onnx.parser.parse_model(
        f"{HEADER} g {ports} <float s = {{0.05}}, uint8 z = {{{zero_point}}}> {{ a = QuantizeLinear(x, s, z)"
        f" b = DequantizeLinear(a, s, z)  c = {operator}(b)"
        " d = QuantizeLinear(c, s, z)  y = DequantizeLinear(d, s, z) }"
    )
    model = onnx.shape_inference.infer_shapes(model)
    rewritten = after_quantizing(model)
    assert operators(rewritten)["QuantizeLinear"] == operators(rewritten)["DequantizeLinear"] == 1
    x = 8 * np.random.default_rng(0).standard_normal((2, 8, 5, 7)).astype(np.float32)
    expected = computed(model, {"x": x}, tmp_path)
    assert np.array_equal(computed(rewritten, {"x": x}, tmp_path), expected)


def test_pairs_of_different_grids_stay() -> None:
    model = onnx.parser.parse_model(
        f"{HEADER} g (float[N] x) => (float[N] y) <float s = {{0.05}}, float t = {{0.1}}, uint8 z = {{0}}>"
        " { a = QuantizeLinear(x, s, z)  b = DequantizeLinear(a, s, z)  c = Relu(b)"
        " d = QuantizeLinear(c, t, z)  y = DequantizeLinear(d, t, z) }"
    )
    assert operators(after_quantizing(model)) == operators(model)


@pytest.mark.parametrize("steps", [1, 4])
def test_the_default_model_is_the_same_and_moves_nothing_in_float32(steps: int, tmp_path: Path) -> None:
    model = float_graphs(chain_of(Bundle.open(default_bundle()), steps=steps))["upscale"]
    rewritten = before_quantizing(model)
    places = placement(rewritten, "onnxruntime", ends=True)
    assert set(places.tensors) <= set(observed_tensors(model))
    quantised = insert_qdq(rewritten, dict.fromkeys(places.tensors, (-3.0, 5.0)), places)
    on_codes = after_quantizing(quantised)
    shuffles = {node.output[0] for node in on_codes.graph.node if node.op_type == "DepthToSpace"}
    assert shuffles == {"sr"} and "ConvTranspose" not in operators(on_codes)
    rng = np.random.default_rng(0)
    feeds = {"lr": rng.random((1, 1, 64, 64), np.float32), "noise": rng.standard_normal((1, 4, 32, 32), np.float32)}
    np.testing.assert_allclose(computed(rewritten, feeds, tmp_path), computed(model, feeds, tmp_path), atol=1e-5)
    # The codes are equal; what follows them in float32 is summed in another order.
    change = np.abs(computed(on_codes, feeds, tmp_path) - computed(quantised, feeds, tmp_path))
    assert change.mean() < 1e-3
