"""Write the whole chain as one graph: ``(lr, noise) -> sr``.

The LR encoder, K denoiser steps that share their weights, the decoder and the projection become one ONNX model. The
timesteps are constants, so each step's time embedding folds into the bias of a convolution; the sampler is a few
multiplications by constants. It needs the three network files and onnx, no PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from build_engines.simplify import simplify
from edge_sr.diffusion.samplers import SamplerTable
from edge_sr.errors import UsageError
from edge_sr.image.consistency import FREE_MARGIN, ROUNDS

IR_VERSION = 10  # ONNX Runtime 1.23, the last for JetPack 6, refuses newer than 11


def compose(
    encoder: ModelProto,
    denoiser: ModelProto,
    decoder: ModelProto,
    *,
    table: SamplerTable,
    scale: int = 4,
    projection_rounds: int = ROUNDS,
) -> ModelProto:
    """One model of the whole chain; what the networks' ports are called is said in docs/bundle.md.

    table: a deterministic sampler, see ``edge_sr.diffusion.samplers``; UsageError for one that draws noise.
    projection_rounds: 0 leaves the projection out (bundles whose LR is not the area mean), the clip stays.
    """
    if not table.deterministic:
        raise UsageError("a sampler that draws noise at every step cannot be one graph", expected="ddim, dpmsolver++")
    graph = GraphWriter()
    cond = graph.call(encoder, "encoder", {"lr": "lr"})["cond"]
    latents = _sampler_steps(graph, denoiser, table, cond)
    sr = graph.call(decoder, "decoder", {"latents": latents, "lr": "lr"})["sr"]
    (shape,) = (shape_of(value) for value in decoder.graph.input if value.name == "lr")
    _projection(graph, sr, channels=int(shape[1]), scale=scale, rounds=projection_rounds)

    inputs = [_port(encoder, "lr", "lr"), _port(denoiser, "latents", "noise")]
    output = _port(decoder, "sr", "sr")
    proto = helper.make_graph(graph.nodes, "upscale", inputs, [output], initializer=list(graph.initializers.values()))
    opset = max(entry.version for model in (encoder, denoiser, decoder) for entry in model.opset_import)
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", opset)], producer_name="edge-sr")
    model.ir_version = IR_VERSION
    return simplify(model)


@dataclass
class GraphWriter:
    """Nodes and constants of the graph that is being written."""

    nodes: list[NodeProto] = field(default_factory=list)
    initializers: dict[str, TensorProto] = field(default_factory=dict)

    def constant(self, value: float | Iterable[int], dtype: type = np.float32) -> str:
        array = np.asarray(value, dtype)
        name = f"const/{array.dtype}_{'_'.join(map(str, array.ravel().tolist()))}" + ("" if array.ndim else "_scalar")
        self.initializers.setdefault(name, numpy_helper.from_array(array, name))
        return name

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: object) -> str:
        """Append one node; returns the name of its output."""
        output = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], name=f"node_{len(self.nodes)}", **attributes))
        return output

    def call(self, model: ModelProto, role: str, feeds: Mapping[str, str], *, instance: str = "") -> dict[str, str]:
        """Write a network into the graph: ``feeds`` are its inputs' new names, the result its outputs' new names.

        Weights are named after the role alone, so every further instance of the role shares them.
        """
        names = dict(feeds)
        for tensor in model.graph.initializer:
            names[tensor.name] = f"{role}/{tensor.name}"
            shared = TensorProto()
            shared.CopyFrom(tensor)
            shared.name = names[tensor.name]
            self.initializers[shared.name] = shared
        for node in model.graph.node:
            for name in node.output:
                names[name] = f"{role}{instance}/{name}" if name else ""
            copy = NodeProto()
            copy.CopyFrom(node)
            copy.name = f"{role}{instance}/{node.name or node.output[0]}"
            copy.input[:] = [names[name] if name else "" for name in node.input]
            copy.output[:] = [names[name] for name in node.output]
            self.nodes.append(copy)
        return {output.name: names[output.name] for output in model.graph.output}

    def weighted_sum(self, terms: Iterable[tuple[float, str]]) -> str:
        """Sum of coefficient * tensor, without the nodes that 0 and 1 make needless."""
        total = ""
        for coefficient, name in terms:
            if coefficient == 0:
                continue
            scaled = name if coefficient == 1 else self.add("Mul", name, self.constant(coefficient))
            total = self.add("Add", total, scaled) if total else scaled
        return total


def _sampler_steps(graph: GraphWriter, denoiser: ModelProto, table: SamplerTable, cond: str) -> str:
    """``edge_sr.diffusion.samplers.sample`` as nodes; returns the name of the clean latents."""
    latents, x0_prev = "noise", ""
    for step, timestep in enumerate(table.timesteps):
        feeds = {"latents": latents, "cond": cond, "timestep": graph.constant([timestep], np.int64)}
        out = graph.call(denoiser, "denoiser", feeds, instance=str(step))["prediction"]
        x0 = graph.weighted_sum([(table.p[step], latents), (table.q[step], out)])
        latents = graph.weighted_sum([(table.c[step], latents), (table.d[step], x0), (table.e[step], x0_prev)])
        x0_prev = x0
    return latents


def _projection(graph: GraphWriter, sr: str, *, channels: int, scale: int, rounds: int) -> None:
    """``edge_sr.image.consistency.project`` as nodes, ending in the output ``sr``.

    It works on pixels laid out as (N, scale^2, C*h, w): a block's pixels lie along axis 1, where a mean and a broadcast
    cost least. The decoder's own pixel shuffle and the first node here then undo each other and vanish.
    """
    low, high = graph.constant(0.0), graph.constant(1.0)
    if rounds == 0:
        graph.add("Clip", sr, low, high, output="sr")
        return
    axis = graph.constant([1], np.int64)
    blocks, target = graph.add("SpaceToDepth", sr, blocksize=scale), "lr"
    if channels > 1:  # SpaceToDepth puts the pixels of a block before the channels
        blocks = graph.add("Reshape", blocks, graph.constant([0, scale**2, -1, 0], np.int64))
        target = graph.add("Reshape", target, graph.constant([0, 1, -1, 0], np.int64))
    for round_ in range(rounds):
        residual = graph.add("Sub", target, graph.add("ReduceMean", blocks, axis, keepdims=1))
        if round_:
            room_up = graph.add("Sub", high, blocks)
            room = graph.add("Where", graph.add("Greater", residual, low), room_up, blocks)
            free = graph.add("Cast", graph.add("Greater", room, graph.constant(FREE_MARGIN)), to=TensorProto.FLOAT)
            count = graph.add("Max", graph.add("ReduceSum", free, axis, keepdims=1), high)
            share = graph.add("Div", graph.add("Mul", residual, graph.constant(float(scale**2))), count)
            residual = graph.add("Mul", free, share)
        blocks = graph.add("Clip", graph.add("Add", blocks, residual), low, high)
    if channels > 1:
        blocks = graph.add("Reshape", blocks, graph.constant([0, scale**2 * channels, -1, 0], np.int64))
    graph.add("DepthToSpace", blocks, blocksize=scale, mode="DCR", output="sr")


def _port(model: ModelProto, name: str, new_name: str) -> onnx.ValueInfoProto:
    """The type of a network's input or output, under the name it has in the composed graph."""
    for value in [*model.graph.input, *model.graph.output]:
        if value.name == name:
            port = onnx.ValueInfoProto()
            port.CopyFrom(value)
            port.name = new_name
            return port
    raise UsageError(f"the network has no port {name}", expected="the ports of docs/bundle.md")


def shape_of(value: onnx.ValueInfoProto) -> list[int | str]:
    """A port's shape: an int for a fixed axis, its name for a free one."""
    return [axis.dim_param or int(axis.dim_value) for axis in value.type.tensor_type.shape.dim]
