"""A graph as the rules read it: who writes and reads a tensor, what is constant, types, shapes, Q/DQ pairs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from build_engines.lint.tensorrt_versions import TensorRT
from build_engines.onnx_check import without_weights

DEFAULT_DOMAIN = ("", "ai.onnx")
CONVOLUTIONS = ("Conv", "ConvTranspose")
# TensorRT lets INT8 pass through these, as they choose or move values and compute none.
MOVES = ("DepthToSpace", "Flatten", "Identity", "MaxPool", "Reshape", "Slice", "SpaceToDepth", "Squeeze", "Transpose")
Shape = tuple[int | None, ...]  # None: an axis of unknown length
Hit = tuple[str, str]  # where a rule is broken (a node, a tensor or the graph), and what is found there


def type_name(element_type: int) -> str:
    """Such as float16."""
    return str(helper.tensor_dtype_to_np_dtype(element_type).name)


def label(node: NodeProto) -> str:
    """What a message calls the node."""
    return str(node.name or next(filter(None, node.output), node.op_type))


class Graph:
    """One model and the TensorRT that is to read it. Nothing is computed before a rule asks for it."""

    def __init__(self, model: ModelProto, version: TensorRT) -> None:
        self.model, self.version = model, version
        self.nodes = model.graph.node
        self.name = model.graph.name or "graph"

    @property
    def opset(self) -> int:
        """Of the default domain; 0 where none is imported."""
        return next((entry.version for entry in self.model.opset_import if entry.domain in DEFAULT_DOMAIN), 0)

    @property
    def tensors(self) -> Iterator[tuple[str, TensorProto]]:
        """All that hold values: initialisers, then attributes of nodes under the name of what the node writes."""
        yield from ((tensor.name, tensor) for tensor in self.model.graph.initializer)
        for node in self.nodes:
            yield from ((node.output[0], a.t) for a in node.attribute if a.type == onnx.AttributeProto.TENSOR)

    @cached_property
    def writers(self) -> dict[str, NodeProto]:
        return {name: node for node in self.nodes for name in node.output if name}

    @cached_property
    def readers(self) -> dict[str, list[NodeProto]]:
        readers: dict[str, list[NodeProto]] = defaultdict(list)
        for node in self.nodes:
            for name in node.input:
                readers[name].append(node)
        return readers

    @cached_property
    def values(self) -> dict[str, np.ndarray]:
        """The constants. An initialiser that gives a graph input its default is none."""
        ports = {port.name for port in self.model.graph.input}
        values = {t.name: numpy_helper.to_array(t) for t in self.model.graph.initializer if t.name not in ports}
        for node in self.nodes:
            if node.op_type == "Constant":
                values[node.output[0]] = _constant(node)
        return values

    @cached_property
    def _ports(self) -> dict[str, ValueInfoProto]:
        graph = onnx.shape_inference.infer_shapes(without_weights(self.model), data_prop=True).graph
        return {port.name: port for ports in (graph.value_info, graph.input, graph.output) for port in ports}

    @property
    def names(self) -> Iterator[str]:
        """Every tensor once: inputs, constants, what nodes write."""
        yield from dict.fromkeys([*(port.name for port in self.model.graph.input), *self.values, *self.writers])

    def type_of(self, name: str) -> int:
        """Element type; UNDEFINED where it is not known."""
        if name in self.values:
            return helper.np_dtype_to_tensor_dtype(self.values[name].dtype)
        return self._ports[name].type.tensor_type.elem_type if name in self._ports else TensorProto.UNDEFINED

    def shape_of(self, name: str) -> Shape | None:
        """None where not even the rank is known."""
        if name in self.values:
            return self.values[name].shape
        if name not in self._ports or not self._ports[name].type.tensor_type.HasField("shape"):
            return None
        dims = self._ports[name].type.tensor_type.shape.dim
        return tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in dims)

    def value(self, node: NodeProto, index: int) -> np.ndarray | None:
        """Of an input that is constant."""
        return self.values.get(node.input[index]) if index < len(node.input) else None

    # Q/DQ

    def written_by(self, name: str, *operators: str) -> NodeProto | None:
        """The node that writes the tensor, where it is one of these."""
        node = self.writers.get(name)
        return node if node is not None and node.op_type in operators else None

    def pairs(self) -> Iterator[NodeProto]:
        """Each grid once: every QuantizeLinear, and a DequantizeLinear unless it repeats the one that it reads."""
        for node in self.nodes:
            if node.op_type == "QuantizeLinear":
                yield node
            elif node.op_type == "DequantizeLinear":
                before = self.written_by(node.input[0], "QuantizeLinear")
                if before is None or before.input[1:] != node.input[1:]:
                    yield node

    def rounds(self, node: NodeProto) -> str:
        """The tensor whose values this QuantizeLinear or DequantizeLinear stands for."""
        before = self.written_by(node.input[0], "QuantizeLinear") if node.op_type == "DequantizeLinear" else None
        return str((before or node).input[0])

    def dequantizer(self, name: str) -> NodeProto | None:
        """The DequantizeLinear that writes the tensor, if one does, or what a move passes on."""
        node = self.written_by(name, "DequantizeLinear", *MOVES)
        while node is not None and node.op_type != "DequantizeLinear":
            node = self.written_by(node.input[0], "DequantizeLinear", *MOVES)
        return node

    def convolutions(self) -> Iterator[NodeProto]:
        yield from (node for node in self.nodes if node.op_type in CONVOLUTIONS)

    def is_int8(self, node: NodeProto | None) -> bool:
        """Whether it is a convolution with Q/DQ before its data and before its weights."""
        if node is None or node.op_type not in CONVOLUTIONS:
            return False
        return all(self.dequantizer(name) for name in node.input[:2])


def _constant(node: NodeProto) -> np.ndarray:
    attribute = node.attribute[0]
    value = helper.get_attribute_value(attribute)
    if attribute.name == "value":
        return numpy_helper.to_array(value)
    return np.asarray(
        value, np.float32 if "float" in attribute.name else np.int64 if "int" in attribute.name else object
    )
