"""Shape and element size of every tensor of an ONNX graph, for a batch of one picture.

ONNX infers those of its own operators. What ONNX Runtime writes into a graph that it has optimised (8-bit operators
with the channels last, blocked layouts) stands in domains of its own; the rules for those are here. onnx is imported
when it is needed: this package runs on devices that have none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

SMALL = 128  # values; a longer constant says nothing about the shape of another tensor
UNARY = ("QLinearLeakyRelu", "QLinearSigmoid", "QuantizeLinear", "DequantizeLinear", "Gelu", "QuickGelu", "BiasGelu")
"""Operators of other domains that write what has the shape of their first input."""


@dataclass(frozen=True)
class Tensor:
    """bits: of one element. kind: numpy's letter for its type, such as "f" or "u"."""

    shape: tuple[int, ...]
    bits: int
    kind: str = "f"

    @property
    def count(self) -> int:
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        return -(-self.count * self.bits // 8)


Tensors = Mapping[str, Tensor]


def shapes_of(model: ModelProto) -> dict[str, list[int]]:
    """Every tensor whose whole shape is known, at a batch of one picture."""
    return {name: list(tensor.shape) for name, tensor in tensors_of(model).items()}


def tensors_of(model: ModelProto) -> dict[str, Tensor]:
    """Every tensor, constants too, whose whole shape is known at a batch of one picture."""
    from onnx import shape_inference

    bare, constants = _for_one_picture(model)
    known: dict[str, Tensor] = {}
    while True:  # what an operator of another domain writes is what one of ONNX reads next
        graph = shape_inference.infer_shapes(bare, data_prop=True).graph
        known = {**_known(graph), **constants}
        found = _beyond_onnx(graph, known)
        if not found:
            return known
        bare.graph.value_info.extend(found)


def attributes_of(node: NodeProto) -> dict[str, Any]:
    from onnx import helper

    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def _for_one_picture(model: ModelProto) -> tuple[ModelProto, dict[str, Tensor]]:
    """A copy with a batch of one and an input in place of every larger constant; and what the constants are."""
    from onnx import ModelProto, helper

    bare = ModelProto()
    bare.CopyFrom(model)
    del bare.graph.value_info[:]
    del bare.graph.initializer[:]
    ports = {port.name for port in bare.graph.input}
    for port in (*bare.graph.input, *bare.graph.output):
        axes = port.type.tensor_type.shape.dim
        if axes and axes[0].dim_param:
            axes[0].dim_value = 1
    constants = {}
    for tensor in model.graph.initializer:
        constants[tensor.name] = _tensor(tensor.dims, tensor.data_type)
        if prod(tensor.dims) <= SMALL:
            bare.graph.initializer.append(tensor)
        elif tensor.name not in ports:
            bare.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    return bare, constants


def _known(graph: GraphProto) -> dict[str, Tensor]:
    known = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        kind = value.type.tensor_type
        if kind.HasField("shape") and all(axis.HasField("dim_value") for axis in kind.shape.dim):
            known[value.name] = _tensor([axis.dim_value for axis in kind.shape.dim], kind.elem_type)
    return known


def _tensor(dims: Any, elem_type: int) -> Tensor:
    from onnx import TensorProto, helper

    if elem_type in (TensorProto.INT4, TensorProto.UINT4):
        return Tensor(tuple(dims), 4, "i")
    dtype = helper.tensor_dtype_to_np_dtype(elem_type)
    return Tensor(tuple(dims), dtype.itemsize * 8, dtype.kind)


def _beyond_onnx(graph: GraphProto, known: dict[str, Tensor]) -> list[Any]:
    """What the operators of other domains write, as far as their inputs are known; ``known`` grows by it."""
    from onnx import helper

    types = {value.name: value.type.tensor_type.elem_type for value in (*graph.input, *graph.value_info)}
    types |= {tensor.name: tensor.data_type for tensor in graph.initializer}
    found = []
    for node in graph.node:
        rule = _rule(node) if node.domain not in ("", "ai.onnx") else None
        if rule is None or node.output[0] in known:
            continue
        try:
            shape = rule(node, known)
        except KeyError:  # of an input; it may be known in the next round
            continue
        elem_type = types[node.input[TYPE_FROM.get(node.op_type, 0)]]
        types[node.output[0]] = elem_type
        known[node.output[0]] = _tensor(shape, elem_type)
        found.append(helper.make_tensor_value_info(node.output[0], elem_type, shape))
    return found


Rule = Callable[["NodeProto", Tensors], "list[int]"]
# Inputs as in ONNX Runtime's docs/ContribOperators.md; where none is named, the output has the type of the first.
TYPE_FROM = {"QuantizeLinear": 2, "DequantizeLinear": 1, "QLinearConcat": 2, "QLinearConv": 7, "QLinearAdd": 7}
WEIGHT_AT = {"QLinearConv": 3, "QLinearMatMul": 3, "QGemm": 3}  # elsewhere it is input 1


def _rule(node: NodeProto) -> Rule | None:
    if node.op_type in UNARY:
        return lambda node, known: list(known[node.input[0]].shape)
    return RULES.get(node.op_type)


def _convolved(node: NodeProto, known: Tensors) -> list[int]:
    weight = known[node.input[WEIGHT_AT.get(node.op_type, 1)]].shape
    return _windowed(node, known[node.input[0]].shape, weight[2:], channels=weight[0])


def _pooled(node: NodeProto, known: Tensors) -> list[int]:
    return _windowed(node, known[node.input[0]].shape, attributes_of(node)["kernel_shape"])


def _windowed(node: NodeProto, shape: tuple[int, ...], kernel: Any, channels: int = 0) -> list[int]:
    """After a window of ``kernel`` has gone over a picture; ONNX, operators Conv and MaxPool."""
    given = attributes_of(node)
    last = bool(given.get("channels_last", node.op_type.startswith("Nhwc")))
    sides = shape[1:-1] if last else shape[2:]
    count = len(sides)
    strides, dilations = given.get("strides", [1] * count), given.get("dilations", [1] * count)
    pads = given.get("pads", [0] * 2 * count)
    if given.get("auto_pad", b"NOTSET") in (b"SAME_UPPER", b"SAME_LOWER"):
        out = [ceil(side / stride) for side, stride in zip(sides, strides, strict=True)]
    else:
        rounded = ceil if given.get("ceil_mode") else int
        out = [
            rounded((side + pads[i] + pads[i + count] - dilations[i] * (kernel[i] - 1) - 1) / strides[i]) + 1
            for i, side in enumerate(sides)
        ]
    depth = channels or (shape[-1] if last else shape[1])
    return [shape[0], *out, depth] if last else [shape[0], depth, *out]


def _broadcast(node: NodeProto, known: Tensors) -> list[int]:
    """QLinearAdd, QLinearMul: A and its grid are inputs 0 to 2, B is input 3."""
    one, other = (known[node.input[i]].shape for i in (0, 3))
    depth = max(len(one), len(other))
    pairs = zip((1,) * (depth - len(one)) + one, (1,) * (depth - len(other)) + other, strict=True)
    return [max(pair) for pair in pairs]


def _joined(node: NodeProto, known: Tensors) -> list[int]:
    """QLinearConcat: the output's grid are inputs 0 and 1, then follow tensor, scale, zero point of each part."""
    parts = [known[name].shape for name in node.input[2::3]]
    axis = attributes_of(node)["axis"] % len(parts[0])
    return [*parts[0][:axis], sum(part[axis] for part in parts), *parts[0][axis + 1 :]]


def _blocked(node: NodeProto, known: Tensors) -> list[int]:
    """ReorderInput. The blocks' padding of channels, at most 15 of them, is not counted."""
    shape = known[node.input[0]].shape
    return [shape[0], shape[-1], *shape[1:-1]] if attributes_of(node).get("channels_last") else list(shape)


def _unblocked(node: NodeProto, known: Tensors) -> list[int]:
    shape, given = known[node.input[0]].shape, attributes_of(node)
    channels = given.get("channels", shape[1])
    return [shape[0], *shape[2:], channels] if given.get("channels_last") else [shape[0], channels, *shape[2:]]


def _upsampled(node: NodeProto, known: Tensors) -> list[int]:
    scales = attributes_of(node)["scales"]
    return [int(side * scale) for side, scale in zip(known[node.input[0]].shape, scales, strict=True)]


RULES: Mapping[str, Rule] = {
    "QLinearConv": _convolved,
    "Conv": _convolved,
    "FusedConv": _convolved,
    "NhwcFusedConv": _convolved,
    "MaxPool": _pooled,
    "AveragePool": _pooled,
    "NhwcMaxPool": _pooled,
    "QLinearAveragePool": _pooled,
    "QLinearAdd": _broadcast,
    "QLinearMul": _broadcast,
    "QLinearConcat": _joined,
    "ReorderInput": _blocked,
    "ReorderOutput": _unblocked,
    "Upsample": _upsampled,
}
