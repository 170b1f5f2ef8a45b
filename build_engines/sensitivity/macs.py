"""What each convolution of a graph costs, in multiply-accumulates."""

from __future__ import annotations

from math import prod

import onnx
from onnx import ModelProto

from build_engines.chain_graphs import Graphs
from build_engines.check.effort import Effort
from build_engines.onnx_check import without_weights
from build_engines.quantize import OUT_AXIS
from edge_sr.artifacts.chain import Chain
from edge_sr.errors import UsageError


def effort_of(chain: Chain, graphs: Graphs) -> Effort:
    """What a picture costs. graphs: of the chain, in float."""
    runs = {"denoiser": chain.steps}  # of a network that stands alone, in one picture
    costs = ((macs(model), runs.get(role, 1)) for role, model in graphs.items())
    return Effort({name: count * cost for each, count in costs for name, cost in each.items()})


def macs(model: ModelProto) -> dict[str, int]:
    """Convolution, by the tensor it writes -> multiply-accumulates for one picture, in the order of the graph.

    model: a float graph, its weights initializers. UsageError where it leaves open more than the batch.
    """
    single = without_weights(model)  # inferred again, from a batch of one
    for port in (*single.graph.input, *single.graph.output):
        axes = port.type.tensor_type.shape.dim
        if axes and axes[0].dim_param:
            axes[0].dim_value = 1
    graph = onnx.shape_inference.infer_shapes(single, data_prop=True).graph
    sides = {
        value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim][2:]  # 0 where left open
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
    weights = {tensor.name: prod(tensor.dims) for tensor in model.graph.initializer}
    costs = {}
    for node in graph.node:
        if node.op_type in OUT_AXIS and node.input[1] in weights:
            # Every position of the kernel once for each output (or, transposed, input) pixel.
            pixels = prod(sides.get(node.output[0] if node.op_type == "Conv" else node.input[0], [0]))
            if not pixels:
                raise UsageError("the size of this tensor is left open", where=node.output[0], expected="fixed sides")
            costs[node.output[0]] = weights[node.input[1]] * pixels
    return costs
