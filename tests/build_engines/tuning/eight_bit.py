"""8-bit convolutions as ONNX Runtime writes them into a graph that it has optimised."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, numpy_helper

from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.tensors import Tensors

HEADER = '<ir_version: 10, opset_import: ["" : 20, "com.microsoft" : 1]>'
SAME = "kernel_shape=[3,3], pads=[1,1,1,1]"


def convolutions(
    count: int = 2, *, side: int = 32, channels: int = 64, attributes: str = SAME, kernel: int = 3
) -> ModelProto:
    """So many in a row, conv0 to the last, with the channels last; (N, side, side, channels) codes in and out."""
    call = f"com.microsoft.QLinearConv<{attributes}, channels_last=1>({{}}, s, z, {{}}, ws, wz, s, z, b)"
    names = ["x", *(f"t{number}" for number in range(count - 1)), "y"]
    body = " ".join(f"{names[n + 1]} = {call.format(names[n], f'w{n}')}" for n in range(count))
    shape = f"uint8[N,{side},{side},{channels}]"
    model = onnx.parser.parse_model(f"{HEADER} g ({shape} x) => (uint8[N,H,W,C] y) {{ {body} }}")
    rng = np.random.default_rng(0)
    weights: dict[str, np.ndarray] = {"s": np.array(0.1, np.float32), "z": np.array(117, np.uint8)}
    weights |= {"ws": rng.uniform(2e-4, 2e-3, channels).astype(np.float32), "wz": np.zeros(channels, np.int8)}
    weights["b"] = rng.integers(-9000, 9000, channels).astype(np.int32)
    for number in range(count):
        weights[f"w{number}"] = rng.integers(-127, 128, (channels, channels, kernel, kernel)).astype(np.int8)
        model.graph.node[number].name = f"conv{number}"
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in weights.items())
    return model


def pictures(count: int = 2, *, side: int = 32, channels: int = 64) -> Tensors:
    return {"x": np.random.default_rng(1).integers(0, 256, (count, side, side, channels)).astype(np.uint8)}


def computed(model: ModelProto, feeds: Tensors, folder: Path) -> np.ndarray:
    onnx.save(model, folder / "graph.onnx")
    with OnnxRuntime(1).open(folder / "graph.onnx") as session:
        (result,) = session.run(feeds).values()
    return result
