"""What each convolution of a graph costs, in multiply-accumulates."""

from __future__ import annotations

from onnx import ModelProto

from build_engines.chain_graphs import Graphs
from build_engines.check.effort import Effort
from build_engines.quantize import OUT_AXIS
from edge_sr.artifacts.chain import Chain
from edge_sr.bench.roofline.count import macs_of
from edge_sr.bench.roofline.shapes import shapes_of
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
    shapes = shapes_of(model)
    constants = {tensor.name for tensor in model.graph.initializer}
    costs = {}
    for node in model.graph.node:
        if node.op_type in OUT_AXIS and node.input[1] in constants:
            try:
                costs[node.output[0]] = macs_of(node, shapes)
            except KeyError as error:
                where = str(error.args[0])
                raise UsageError("the size of this tensor is left open", where=where, expected="fixed sides") from None
    return costs
