"""Q/DQ pairs written at the places of a ``Placement``, into a float32 graph or what ``precision.cast`` made of it.

In an FP16 graph a pair reads and gives FP16, and so its scales are FP16: nothing there may read two float types.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from build_engines.onnx_check import complete
from build_engines.quantize.grid import grid, weight_grid
from build_engines.quantize.half import (
    LARGEST,
    SCALES_FROM_OPSET,
    float_name,
    half_scales,
    half_tensors,
    is_border,
    twin,
)
from build_engines.quantize.placement import Convolution, Placement, Ranges, Reader
from build_engines.simplify import drop_unread
from edge_sr.errors import UsageError


def insert_qdq(model: ModelProto, ranges: Ranges, places: Placement) -> ModelProto:
    """The graph with Q/DQ pairs at the places; inputs, outputs, opset and everything else stay as they are.

    model: the float32 graph that the places are of, or in the flavour tensorrt what ``to_fp16`` made of that.
    ranges: those of ``places.tensors``; there may be others. The model that came is left alone.
    Raises UsageError where a range is missing or none, or where the placement is of another graph.
    """
    limits = places.limits(ranges)
    grids = [grid(*each, places.flavour) for each in limits]
    halves = half_tensors(model)
    if halves:
        _check_half(model, places, min(halves))
        _check_limits(places, limits)
    writer = _PairWriter(model, places, grids, halves)
    quantised = ModelProto()
    quantised.CopyFrom(model)
    del quantised.graph.value_info[:], quantised.graph.node[:]
    quantised.graph.node.extend(writer.nodes())
    quantised.graph.initializer.extend(writer.constants.values())
    drop_unread(quantised)
    complete(quantised)
    return quantised


def _check_half(model: ModelProto, places: Placement, where: str) -> None:
    """UsageError where there may be no FP16. where: a tensor that is."""
    if not places.flavour.symmetric:
        flavour = places.flavour.name
        raise UsageError(f"FP16, in the flavour {flavour}", where=where, expected="float32: it has no kernels for this")
    opset = next(entry.version for entry in model.opset_import if not entry.domain)
    if opset < SCALES_FROM_OPSET:
        raise UsageError(f"FP16 at opset {opset}", where=where, expected=f"opset {SCALES_FROM_OPSET} for FP16 scales")


def _check_limits(places: Placement, limits: Sequence[tuple[float, float]]) -> None:
    """UsageError naming the tensors whose values FP16 cannot hold."""
    for group, (low, high) in zip(places.groups, limits, strict=True):
        if max(-low, high) > LARGEST:
            expected = f"at most {LARGEST:g}, the largest that FP16 holds"
            raise UsageError(f"values from {low:g} to {high:g}", where=", ".join(group), expected=expected)


class _PairWriter:
    """Writes the nodes anew, with pairs where the placement wants them. halves: the tensors that are FP16."""

    def __init__(
        self, model: ModelProto, places: Placement, grids: list[tuple[np.float32, int]], halves: Collection[str]
    ) -> None:
        self.model, self.flavour, self.grids, self.halves = model, places.flavour, grids, halves
        self.weights = {tensor.name: tensor for tensor in model.graph.initializer}
        self.readers = {(reader.node, reader.index): reader for reader in places.readers}
        self.convolutions = {convolution.name: convolution for convolution in places.convolutions}
        self.constants: dict[str, TensorProto] = {}
        self.written: list[NodeProto] = []
        self.pairs: dict[str, str] = {}  # where one pair serves all: its name -> what it gives
        self.check_wiring()

    def check_wiring(self) -> None:
        nodes = [node for node in self.model.graph.node if not is_border(node)]
        wiring = {(float_name(node.output[0]), i): name for node in nodes for i, name in enumerate(node.input)}
        wanted = {key: reader.tensor for key, reader in self.readers.items()}
        wanted |= {(convolution.name, 1): convolution.weight for convolution in self.convolutions.values()}
        for key, tensor in wanted.items():
            if float_name(wiring.get(key, "")) != tensor:
                raise UsageError(f"{tensor} is not read here", where=key[0], expected="the placement of this graph")

    def nodes(self) -> list[NodeProto]:
        for original in self.model.graph.node:
            node = NodeProto()
            node.CopyFrom(original)
            name = "" if is_border(original) else float_name(original.output[0])
            for index in range(len(original.input)):
                if reader := self.readers.get((name, index)):
                    node.input[index] = self.activation(reader, original.input[index])
            if convolution := self.convolutions.get(name):
                node.input[1] = self.weight(convolution, original.input[1])
            self.written.append(node)
        return self.written

    def activation(self, reader: Reader, tensor: str) -> str:
        """What is read instead of the tensor, which is the reader's or its twin."""
        scale, zero_point = self.grids[reader.group]
        names = (
            self.scales(f"group{reader.group}/scale", scale, tensor),
            self.constant(f"group{reader.group}/zero_point", self.flavour.dtype(zero_point)),
        )
        pair = f"{reader.tensor}/group{reader.group}"
        return self.pair(f"{pair}/{reader.node}" if self.flavour.dedicated else pair, tensor, names)

    def weight(self, convolution: Convolution, tensor: str) -> str:
        """What is read instead of the weight."""
        name, axis = convolution.weight, convolution.axis
        scales, codes = weight_grid(numpy_helper.to_array(self.weights[tensor]).astype(np.float32), axis)
        names = (
            self.scales(f"{name}/scale", scales, tensor),
            self.constant(f"{name}/zero_point", np.zeros(len(scales), np.int8)),
        )
        if self.flavour.packed_weights:
            return self.dequantised(name, self.constant(f"{name}/codes", codes), names, axis)
        return self.pair(f"{name}/{convolution.name}", tensor, names, axis)

    def scales(self, name: str, scales: np.ndarray | np.generic, tensor: str) -> str:
        """Those of a pair, in the type of the tensor that it rounds."""
        if tensor not in self.halves:
            return self.constant(name, scales)
        return self.constant(twin(name, np.dtype(np.float16)), half_scales(scales))

    def pair(self, pair: str, tensor: str, names: tuple[str, str], axis: int | None = None) -> str:
        codes = f"{pair}/codes"
        if pair not in self.pairs:
            self.add("QuantizeLinear", [tensor, *names], codes, axis)
        return self.dequantised(pair, codes, names, axis)

    def dequantised(self, pair: str, codes: str, names: tuple[str, str], axis: int | None = None) -> str:
        result = f"{pair}/dequantized"
        if pair not in self.pairs:
            self.add("DequantizeLinear", [codes, *names], result, axis)
            self.pairs[pair] = result
        return result

    def add(self, operator: str, inputs: list[str], output: str, axis: int | None) -> None:
        node = helper.make_node(operator, inputs, [output], name=output)
        if axis is not None:
            node.attribute.append(helper.make_attribute("axis", axis))
        self.written.append(node)

    def constant(self, name: str, value: np.ndarray | np.generic) -> str:
        self.constants.setdefault(name, numpy_helper.from_array(np.asarray(value), name))
        return name
