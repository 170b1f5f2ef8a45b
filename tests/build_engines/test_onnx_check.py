"""Types, shapes and the checker, with the weights left aside."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="graphs are checked with onnx")

from build_engines.onnx_check import complete, shapes, without_weights  # noqa: E402

HEADER = '<ir_version: 10, opset_import: ["" : 20]>'


def graph(weight: np.ndarray, *, body: str = "a = Conv(x, weight) y = Relu(a)") -> onnx.ModelProto:
    text = f"g (float[N,8,4,4] x) => (float[N,C,h,w] y) <int64[2] rows = {{-1, 16}}> {{ {body} }}"
    model = onnx.parser.parse_model(f"{HEADER} {text}")
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "weight"))
    return model


def convolution() -> onnx.ModelProto:
    return graph(np.ones((64, 8, 3, 3), np.float32))


def axes(value: onnx.ValueInfoProto) -> list[int | str]:
    return [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]


def test_every_tensor_gets_its_shape_and_the_weights_stay() -> None:
    model = convolution()
    before = [tensor.SerializeToString() for tensor in model.graph.initializer]
    complete(model)
    assert {value.name: axes(value) for value in model.graph.value_info} == {"a": ["N", 64, 2, 2]}
    assert [tensor.SerializeToString() for tensor in model.graph.initializer] == before
    assert [port.name for port in model.graph.input] == ["x"]


def test_large_constants_become_inputs_and_small_ones_stay() -> None:
    bare = without_weights(convolution())
    assert [port.name for port in bare.graph.input] == ["x", "weight"]
    assert [tensor.name for tensor in bare.graph.initializer] == ["rows"]
    assert bare.ByteSize() < 1000


def test_a_default_of_an_input_is_not_listed_twice() -> None:
    model = convolution()
    model.graph.input.append(onnx.helper.make_tensor_value_info("weight", 1, [64, 8, 3, 3]))
    assert [port.name for port in without_weights(model).graph.input] == ["x", "weight"]


def test_a_computed_shape_is_followed() -> None:
    body = "s = Shape(x) r = Reshape(x, rows) b = Reshape(r, s) y = Conv(b, weight)"
    known = shapes(graph(np.ones((64, 8, 3, 3), np.float32), body=body))
    assert axes(known["b"]) == ["N", 8, 4, 4]


def test_types_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(onnx.shape_inference.InferenceError):
        complete(graph(np.ones((64, 8, 3, 3), np.float16)))


def test_a_weight_with_too_few_bytes_is_refused() -> None:
    model = convolution()
    model.graph.initializer[1].raw_data = model.graph.initializer[1].raw_data[:-4]
    with pytest.raises(onnx.checker.ValidationError, match="weight"):
        complete(model)


def test_an_operator_that_is_none_is_refused() -> None:
    model = convolution()
    model.graph.node[1].op_type = "Rely"
    with pytest.raises((onnx.checker.ValidationError, onnx.shape_inference.InferenceError), match="Rely"):
        complete(model)
