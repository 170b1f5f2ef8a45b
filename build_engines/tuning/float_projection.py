"""The float32 projection in the operators that ONNX Runtime computes fastest on a CPU; equal up to float32's rounding.

It sums over an axis that is not the last one pixel by pixel, and chooses without vector instructions. So sums over the
pixels of a block become a product with a row of ones (of 1/n for a mean), and ``Where(c, 1 - b, b)`` of a ``b`` in
[0, 1] becomes ``|c - b|``, which is the same number.

For ONNX Runtime alone: TensorRT fuses sums and choices by itself, and rounds products to TF32 unless it is told not to.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from build_engines.onnx_check import shapes
from build_engines.tuning.rewritten import with_nodes

BLOCK_AXIS = 1  # along which ``compose`` lays the pixels of a block
MOST_SUMMED = 64  # beyond it the axis holds channels, and is no block of pixels


def for_cpu(model: ModelProto) -> ModelProto:
    """The model as it is where nothing is found; else a rewritten copy of the same inputs, outputs and opset."""
    graph = _Graph(model)
    nodes = [each for node in model.graph.node for each in graph.written(node)]
    if not graph.changed:
        return model
    known = {tensor.name for tensor in model.graph.initializer}
    return with_nodes(model, nodes, [tensor for name, tensor in graph.added.items() if name not in known])


class _Graph:
    """Writes nodes anew. added: the constants that this takes. changed: whether any was found."""

    def __init__(self, model: ModelProto) -> None:
        self.writer = {name: node for node in model.graph.node for name in node.output}
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.added: dict[str, TensorProto] = {}
        self.changed = False
        self._model = model

    @cached_property
    def types(self) -> dict[str, Any]:
        """The type and shape of every tensor that is no constant."""
        return {port.name: port.type.tensor_type for port in (*self._model.graph.input, *shapes(self._model).values())}

    def written(self, node: NodeProto) -> Iterator[NodeProto]:
        """What stands for the node: itself, or the same in other operators."""
        found: Iterator[NodeProto] | None = None
        if node.op_type in ("ReduceMean", "ReduceSum") and (sides := self.summed(node)):
            found = self.product(node, *sides)
        elif node.op_type == "Where" and self.chooses_distance(node):
            found = self.distance(node)
        self.changed |= found is not None
        yield from found or [node]

    def summed(self, node: NodeProto) -> tuple[int, int, int] | None:
        """Pixels of a block, height and width of what is summed over BLOCK_AXIS; None for other sums."""
        axes = self.value(node.input[1]) if len(node.input) > 1 else None
        keeps = all(each.i == 1 for each in node.attribute if each.name == "keepdims")
        if axes is None or axes.tolist() != [BLOCK_AXIS] or not keeps or node.input[0] not in self.types:
            return None
        kind = self.types[node.input[0]]
        _, count, height, width = [axis.dim_value for axis in kind.shape.dim] if len(kind.shape.dim) == 4 else [0] * 4
        fits = kind.elem_type == TensorProto.FLOAT and 0 < count <= MOST_SUMMED and height and width
        return (count, height, width) if fits else None

    def product(self, node: NodeProto, count: int, height: int, width: int) -> Iterator[NodeProto]:
        """(N, n, h, w) -> (N, n, h * w) -> times (1, n) -> (N, 1, h * w) -> (N, 1, h, w)."""
        share = 1 / count if node.op_type == "ReduceMean" else 1.0
        row = self.constant(f"row/{count}_{share:g}", np.full((1, count), share, np.float32))
        flat = self.constant(f"row/{count}_{height}_{width}/flat", np.array([0, count, height * width]))
        square = self.constant(f"row/{count}_{height}_{width}/square", np.array([0, 1, height, width]))
        (result,) = node.output
        lines, total = f"{result}/lines", f"{result}/total"
        yield helper.make_node("Reshape", [node.input[0], flat], [lines], name=f"{node.name}/lines")
        yield helper.make_node("MatMul", [row, lines], [total], name=f"{node.name}/total")
        yield helper.make_node("Reshape", [total, square], [result], name=node.name)

    def chooses_distance(self, node: NodeProto) -> bool:
        """Whether it is Where(c, 1 - b, b) of a b that was clipped to [0, 1]."""
        subtraction, clip = (self.writer.get(name) for name in node.input[1:])
        if subtraction is None or clip is None or subtraction.op_type != "Sub" or clip.op_type != "Clip":
            return False
        found = [self.value(name) for name in (*clip.input[1:], subtraction.input[0])]
        bounds = [None if value is None or value.size != 1 else value.item() for value in found]
        if subtraction.input[1] != node.input[2] or bounds != [0.0, 1.0, 1.0]:
            return False
        return bool(self.types[node.output[0]].elem_type == TensorProto.FLOAT)

    def distance(self, node: NodeProto) -> Iterator[NodeProto]:
        condition, _, clipped = node.input
        (result,) = node.output
        target, signed = f"{result}/target", f"{result}/signed"
        yield helper.make_node("Cast", [condition], [target], name=f"{node.name}/target", to=TensorProto.FLOAT)
        yield helper.make_node("Sub", [target, clipped], [signed], name=f"{node.name}/signed")
        yield helper.make_node("Abs", [signed], [result], name=node.name)

    def value(self, name: str) -> np.ndarray | None:
        return numpy_helper.to_array(self.constants[name]) if name in self.constants else None

    def constant(self, name: str, value: np.ndarray) -> str:
        self.added.setdefault(name, numpy_helper.from_array(value, name))
        return name
