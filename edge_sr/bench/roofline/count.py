"""Operations of one node of a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING

from edge_sr.bench.roofline.shapes import WEIGHT_AT, attributes_of

if TYPE_CHECKING:
    from onnx import NodeProto

Shapes = Mapping[str, Sequence[int]]

CONVOLUTIONS = ("Conv", "ConvTranspose")
_CONVOLUTIONS = (*CONVOLUTIONS, "FusedConv", "NhwcFusedConv", "QLinearConv", "ConvInteger")
_PRODUCTS = ("Gemm", "MatMul", "FusedGemm", "FusedMatMul", "MatMulInteger", "QLinearMatMul", "QGemm")
NETWORKS = (*_CONVOLUTIONS, *_PRODUCTS)
"""Operators that multiply by weights."""

ALIASES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity")  # the same memory under another shape
MOVES = (
    *ALIASES,
    *("Transpose", "Concat", "QLinearConcat", "Split", "Slice", "Gather", "Expand", "Tile", "Pad"),
    *("DepthToSpace", "SpaceToDepth", "ReorderInput", "ReorderOutput", "Constant", "ConstantOfShape", "Shape", "Size"),
)
"""Operators that compute nothing."""
REDUCTIONS = ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceSumSquare", "GlobalAveragePool")
POOLS = ("MaxPool", "AveragePool", "NhwcMaxPool", "QLinearAveragePool")


def macs_of(node: NodeProto, shapes: Shapes) -> int:
    """Multiply-accumulates, 0 for other operators than NETWORKS. KeyError where a shape is not known."""
    if node.op_type in _CONVOLUTIONS:  # every position of the kernel at each output (or, transposed, input) pixel
        seen = shapes[node.input[0] if node.op_type == "ConvTranspose" else node.output[0]]
        pixels = seen[:-1] if attributes_of(node).get("channels_last") else (seen[0], *seen[2:])  # of all images
        return prod(shapes[weight_of(node)]) * prod(pixels)
    if node.op_type in _PRODUCTS:
        transposed = bool(attributes_of(node).get("transA"))
        return prod(shapes[node.output[0]]) * shapes[node.input[0]][-2 if transposed else -1]
    return 0


def weight_of(node: NodeProto) -> str:
    """The tensor that one of NETWORKS multiplies by."""
    return node.input[WEIGHT_AT.get(node.op_type, 1)]


def operations_of(node: NodeProto, shapes: Shapes) -> int:
    """Additions and multiplications, two a multiply-accumulate; of what is done element by element, one an element."""
    if node.op_type in NETWORKS:
        return 2 * macs_of(node, shapes)
    if node.op_type in MOVES:
        return 0
    if node.op_type in REDUCTIONS:
        return prod(shapes[node.input[0]])
    window = prod(attributes_of(node)["kernel_shape"]) if node.op_type in POOLS else 1
    return window * prod(shapes[node.output[0]])
