"""Graphs small enough to count by hand."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import ModelProto, numpy_helper

HEADER = '<ir_version: 10, opset_import: ["" : 20, "com.microsoft" : 1, "com.microsoft.nchwc" : 1]>'


def graph(ports: str, body: str, *, name: str = "net", **weights: np.ndarray) -> ModelProto:
    model = onnx.parser.parse_model(f"{HEADER} {name} {ports} {{ {body} }}")
    model.graph.initializer.extend(numpy_helper.from_array(value, key) for key, value in weights.items())
    return model


def with_zeros(ports: str, body: str) -> ModelProto:
    """Weights that are declared without values become zeros."""
    model = graph(ports, body)
    for value in model.graph.value_info:
        shape = [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        model.graph.initializer.append(numpy_helper.from_array(np.zeros(shape, np.float32), value.name))
    return model


def floats(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def codes(*shape: int) -> np.ndarray:
    return np.ones(shape, np.int8)


def chain() -> ModelProto:
    """Three convolutions of two channels on 4x4 pixels with a skip around the middle one, and one sum behind them.

    Each multiplies 2 x 2 weights at 16 pixels: 64 multiply-accumulates, 128 operations.
    """
    body = """
        a = Conv(lr, w) b = Relu(a) c = Conv(b, w) d = Add(c, b) e = Relu(d) f = Conv(e, w) sr = Add(f, lr)
    """
    model = graph("(float[N,2,4,4] lr) => (float[N,2,4,4] sr)", body, w=floats(2, 2, 1, 1))
    for node in model.graph.node[:-1]:
        node.name = f"decoder/{node.output[0]}"
    model.graph.node[-1].name = "node_9"
    return model
