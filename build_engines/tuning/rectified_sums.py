"""ReLUs behind sums of 8-bit codes, done on the codes, so that ONNX Runtime adds in 8 bits too.

It adds codes (QLinearAdd) where a sum stands between pairs. A ReLU between the sum and the pair behind it is dropped
where 0 is the lowest number of that grid; where it is not, because the same grid holds negative numbers of another
branch, everything falls back to float32. Rounding to a grid that holds 0 keeps the order of numbers, so the codes
rectified are the rectified sum's codes.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from onnx import ModelProto, NodeProto, helper, numpy_helper

from build_engines.tuning.rewritten import with_nodes


def rectified_on_codes(model: ModelProto) -> ModelProto:
    """The model as it is where nothing is found; else a rewritten copy of the same inputs, outputs and opset."""
    graph = _Graph(model)
    nodes = [each for node in model.graph.node for each in graph.written(node)]
    if len(nodes) == len(model.graph.node):
        return model
    return with_nodes(model, nodes)


class _Graph:
    def __init__(self, model: ModelProto) -> None:
        self.writer = {name: node for node in model.graph.node for name in node.output}
        self.readers = Counter(name for node in model.graph.node for name in node.input)
        self.readers.update(output.name for output in model.graph.output)
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}

    def written(self, node: NodeProto) -> list[NodeProto]:
        """What stands for the node; for a QuantizeLinear behind such a ReLU, one of the sum and a Clip of its codes."""
        relu = self.writer.get(node.input[0]) if node.op_type == "QuantizeLinear" else None
        if relu is None or not self.rectifies_sum(relu) or not self.holds_negative(node.input[2:]):
            return [node]
        grid, (result,) = list(node.input[1:]), node.output
        total = f"{result}/signed"
        return [
            helper.make_node("QuantizeLinear", [relu.input[0], *grid], [total], name=total),
            helper.make_node("Clip", [total, grid[1]], [result], name=node.name),
        ]

    def rectifies_sum(self, node: NodeProto) -> bool:
        """Whether it is a ReLU that one alone reads, of a sum that it alone reads, of two that were codes."""
        total = self.writer.get(node.input[0]) if node.op_type == "Relu" else None
        if total is None or total.op_type != "Add":
            return False
        parts = (self.writer.get(name) for name in total.input)
        alone = self.readers[node.output[0]] == self.readers[total.output[0]] == 1
        return alone and all(part is not None and part.op_type == "DequantizeLinear" for part in parts)

    def holds_negative(self, zero_points: list[str]) -> bool:
        """Whether a grid's zero point is one number, and not the lowest."""
        tensor = self.constants.get(zero_points[0]) if zero_points else None
        if tensor is None or list(tensor.dims):
            return False
        value = numpy_helper.to_array(tensor)
        return bool(value > np.iinfo(value.dtype).min)
