"""What Q/DQ pairs have to know of an FP16 graph: how its tensors are called, and which scales FP16 can hold."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto

from build_engines.onnx_check import without_weights

LARGEST = float(np.finfo(np.float16).max)  # 65504
SMALLEST_NORMAL = np.finfo(np.float16).smallest_normal  # 2^-14, about 6.1e-5
SCALES_FROM_OPSET = 19  # ONNX, QuantizeLinear-19: scales in the type of the tensor
TWINS = ("/float16", "/float32")


def twin(name: str, dtype: np.dtype) -> str:
    """What a tensor is called in its second type, where a Cast gives it one. Its first keeps the name."""
    return f"{name}/{dtype.name}"


def float_name(name: str) -> str:
    """What the float32 graph calls a tensor of the FP16 graph."""
    for ending in TWINS:
        name = name.removesuffix(ending)
    return name


def is_border(node: NodeProto) -> bool:
    """Whether it is the Cast from a tensor to its twin, or back."""
    return node.op_type == "Cast" and float_name(node.input[0]) == float_name(node.output[0])


def half_scales(scales: np.ndarray | np.generic) -> np.ndarray:
    """Scales in FP16, none below the smallest normal number.

    Subnormal ones have few significant bits, the least a single one, and below 2^-25 they round to 0, which TensorRT
    refuses. The floor costs nothing: at most 2^-15 of error for values that lie within 127 * 2^-14 = 0.0078.
    """
    return np.maximum(scales, np.float32(SMALLEST_NORMAL)).astype(np.float16)


def half_tensors(model: ModelProto) -> frozenset[str]:
    """The tensors that are FP16."""
    graph = onnx.shape_inference.infer_shapes(without_weights(model)).graph
    ports = (port for ports in (graph.input, graph.output, graph.value_info) for port in ports)
    found = {port.name for port in ports if port.type.tensor_type.elem_type == TensorProto.FLOAT16}
    return frozenset(found | {t.name for t in graph.initializer if t.data_type == TensorProto.FLOAT16})
