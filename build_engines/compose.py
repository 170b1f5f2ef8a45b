"""Write the whole chain as one graph: ``(lr, noise) -> sr``, or ``lr -> sr`` where no noise is drawn.

The LR encoder, K denoiser steps that share their weights, the decoder and the projection become one ONNX model. The
timesteps are constants, so each step's time embedding folds into the bias of a convolution; the sampler is a few
multiplications by constants. It needs the three network files and onnx, no PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from build_engines.simplify import simplify_in_place
from edge_sr.diffusion.samplers import SamplerTable
from edge_sr.errors import UsageError
from edge_sr.image.consistency import FREE_MARGIN, ROUNDS

IR_VERSION = 10  # ONNX Runtime 1.23, the last for JetPack 6, refuses newer than 11
OPSETS = (19, 20)
PORTS = {  # role: its inputs, its output
    "encoder": (("lr",), "cond"),
    "denoiser": (("latents", "cond", "timestep"), "prediction"),
    "decoder": (("latents", "lr"), "sr"),
    "generator": (("lr",), "sr"),
}


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

    table: a deterministic sampler, see ``edge_sr.diffusion.samplers``.
    projection_rounds: 0 leaves the projection out (bundles whose LR is not the area mean), the clip stays.
    Raises UsageError for a sampler that draws noise and for networks that cannot stand in one graph: other ports,
    control flow, a foreign operator domain, different opsets.
    """
    if not table.deterministic:
        raise UsageError("a sampler that draws noise at every step cannot be one graph", expected="ddim, dpmsolver++")
    opset = _common_opset({"encoder": encoder, "denoiser": denoiser, "decoder": decoder})
    graph = GraphWriter()
    cond = graph.call(encoder, "encoder", {"lr": "lr"})["cond"]
    latents = _sampler_steps(graph, denoiser, table, cond)
    sr = graph.call(decoder, "decoder", {"latents": latents, "lr": "lr"})["sr"]
    lr_port = _port(encoder, "lr", "lr")
    _projection(graph, sr, channels=_fixed_channels(lr_port), scale=scale, rounds=projection_rounds)

    inputs, output = [lr_port, _port(denoiser, "latents", "noise")], _port(decoder, "sr", "sr")
    return graph.model("upscale", inputs, output, opset=opset)


def compose_generator(generator: ModelProto, *, scale: int, projection_rounds: int) -> ModelProto:
    """``lr -> sr`` of a feed-forward network, with what every graph ends in; arguments and errors as of ``compose``."""
    opset = _common_opset({"generator": generator})
    graph = GraphWriter()
    sr = graph.call(generator, "generator", {"lr": "lr"})["sr"]
    lr_port = _port(generator, "lr", "lr")
    _projection(graph, sr, channels=_fixed_channels(lr_port), scale=scale, rounds=projection_rounds)
    return graph.model("upscale", [lr_port], _port(generator, "sr", "sr"), opset=opset)


def standalone(network: ModelProto, role: str) -> ModelProto:
    """One network by itself, simplified, its tensors named as ``compose`` names them: ``denoiser/relu_3``.

    Inputs and outputs keep their names. What is called ``latents`` in two networks is not the same tensor, so inside
    an input goes by the name of its network too.
    """
    opset = _common_opset({role: network})
    graph = GraphWriter()
    (inputs, output) = PORTS[role]
    feeds = {name: graph.add("Identity", name, output=f"{role}/{name}") for name in inputs}
    for node in graph.nodes:
        node.name = node.output[0]
    result = graph.call(network, role, feeds)[output]
    graph.add("Identity", result, output=output)
    ports = [_port(network, name, name) for name in inputs]
    return graph.model(role, ports, _port(network, output, output), opset=opset)


@dataclass
class GraphWriter:
    """Nodes and constants of the graph that is being written."""

    nodes: list[NodeProto] = field(default_factory=list)
    initializers: dict[str, TensorProto] = field(default_factory=dict)

    def model(
        self, name: str, inputs: Iterable[onnx.ValueInfoProto], output: onnx.ValueInfoProto, *, opset: int
    ) -> ModelProto:
        """What was written, simplified; nothing can be written any more. Weights are moved, not copied."""
        model = ModelProto(ir_version=IR_VERSION, producer_name="edge-sr")
        model.opset_import.append(helper.make_opsetid("", opset))
        model.graph.name = name
        model.graph.input.extend(inputs)
        model.graph.output.append(output)
        model.graph.node.extend(self.nodes)
        for constant in list(self.initializers):
            model.graph.initializer.append(self.initializers.pop(constant))
        simplify_in_place(model)
        return model

    def constant(self, value: float | Iterable[int], dtype: type = np.float32) -> str:
        """The name of a constant; equal ones are written once."""
        array: np.ndarray = np.asarray(value, dtype)
        name = f"const/{array.dtype}_{'_'.join(map(str, array.ravel().tolist()))}" + ("" if array.ndim else "_scalar")
        self.initializers.setdefault(name, numpy_helper.from_array(array, name))
        return name

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append one node; returns the name of its output."""
        output = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], name=f"node_{len(self.nodes)}", **attributes))
        return output

    def call(self, model: ModelProto, role: str, feeds: Mapping[str, str], *, instance: str = "") -> dict[str, str]:
        """Write a network into the graph: ``feeds`` are its inputs' new names, the result its outputs' new names.

        Weights are named after the role alone, so every further instance of the role shares them.
        """
        names = {tensor.name: f"{role}/{tensor.name}" for tensor in model.graph.initializer} | dict(feeds)
        for tensor in model.graph.initializer:
            if (name := f"{role}/{tensor.name}") not in self.initializers:
                self.initializers[name] = shared = TensorProto()
                shared.CopyFrom(tensor)
                shared.name = name
        for node in model.graph.node:
            for name in node.output:
                names[name] = f"{role}{instance}/{name}" if name else ""
            copy = NodeProto()
            copy.CopyFrom(node)
            copy.ClearField("doc_string")  # exporters leave stack traces here, with the paths of their machine
            copy.ClearField("metadata_props")
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


def _common_opset(networks: Mapping[str, ModelProto]) -> int:
    """The opset that all networks are written in, after a look at whether they fit together."""
    for role, network in networks.items():
        _check_network(role, network)
    opsets = {role: {e.domain: e.version for e in n.opset_import}.get("", 0) for role, n in networks.items()}
    opset, *others = set(opsets.values())
    if others or opset not in OPSETS:
        found = ", ".join(f"{role} {opset}" for role, opset in opsets.items())
        raise UsageError(f"opsets: {found}", expected="the same in all networks, 19 or 20")
    return opset


def _check_network(role: str, network: ModelProto) -> None:
    """UsageError where a network's ports or operators do not fit into the composed graph."""
    inputs, output = PORTS[role]
    constants = {tensor.name for tensor in network.graph.initializer}
    found = {port.name for port in network.graph.input} - constants
    if found != set(inputs) or output not in {port.name for port in network.graph.output}:
        names = [*sorted(found), "->", *(port.name for port in network.graph.output)]
        raise UsageError(f"ports: {' '.join(names)}", where=role, expected=f"{' '.join(inputs)} -> {output}")
    if foreign := {node.domain for node in network.graph.node} - {""}:
        raise UsageError(f"operators of {', '.join(foreign)}", where=role, expected="the default domain")


def _port(model: ModelProto, name: str, new_name: str) -> onnx.ValueInfoProto:
    """The type of a network's input or output, under the name it has in the composed graph."""
    (found,) = (value for value in [*model.graph.input, *model.graph.output] if value.name == name)
    port = onnx.ValueInfoProto()
    port.CopyFrom(found)
    port.name = new_name
    port.ClearField("doc_string")
    port.ClearField("metadata_props")
    return port


def _fixed_channels(lr: onnx.ValueInfoProto) -> int:
    shape = shape_of(lr)
    if len(shape) != 4 or not isinstance(shape[1], int) or shape[1] < 1:
        raise UsageError(f"shape {shape}", where="lr", expected="(N, C, h, w) with a fixed number of channels")
    return shape[1]


def shape_of(value: onnx.ValueInfoProto) -> list[int | str]:
    """A port's shape: an int for a fixed axis, its name for a free one."""
    return [axis.dim_param or int(axis.dim_value) for axis in value.type.tensor_type.shape.dim]
