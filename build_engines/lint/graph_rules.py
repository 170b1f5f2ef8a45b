"""Checks of the graph as a whole: the file, operators, shapes, types. Each yields (where, what)."""

from __future__ import annotations

from collections.abc import Iterator

import onnx
from onnx import NodeProto, TensorProto, helper

from build_engines.lint.graph import DEFAULT_DOMAIN, Graph, Hit, label, type_name
from build_engines.lint.tensorrt_versions import ATTRIBUTES, OUTPUTS

IR_VERSION = 10
FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE}


def external_data(graph: Graph) -> Iterator[Hit]:
    for name, tensor in graph.tensors:
        if tensor.data_location == TensorProto.EXTERNAL:
            yield name, "its values lie in another file"


def ir_version(graph: Graph) -> Iterator[Hit]:
    if graph.model.ir_version > IR_VERSION:
        yield graph.name, f"IR version {graph.model.ir_version}, above {IR_VERSION}"


def opset(graph: Graph) -> Iterator[Hit]:
    low, high = graph.version.opsets
    if not low <= graph.opset <= high:
        yield graph.name, f"opset {graph.opset or 'missing'}; TensorRT {graph.version.name} reads {low} to {high}"


def domain(graph: Graph) -> Iterator[Hit]:
    for entry in graph.model.opset_import:
        if entry.domain not in DEFAULT_DOMAIN:
            yield graph.name, f"imports the operator domain {entry.domain}"
    for node in graph.nodes:
        if node.domain not in DEFAULT_DOMAIN:
            yield label(node), f"{node.op_type} of the domain {node.domain}"


def valid(graph: Graph) -> Iterator[Hit]:
    try:
        onnx.checker.check_model(graph.model)
    except onnx.checker.ValidationError as error:
        yield graph.name, str(error).strip().splitlines()[0]


def operator(graph: Graph) -> Iterator[Hit]:
    for node in graph.nodes:
        if node.domain in DEFAULT_DOMAIN and node.op_type not in graph.version.operators:
            yield label(node), f"{node.op_type} is not on the list for TensorRT {graph.version.name}"


def operator_form(graph: Graph) -> Iterator[Hit]:
    for node in graph.nodes:
        written = [name for name in node.output if name]
        if len(written) > OUTPUTS.get(node.op_type, len(written)):
            yield label(node), f"{node.op_type} with the output {written[-1]}; expected the first one alone"
        index = graph.version.constant_inputs.get(node.op_type, len(node.input))
        if index < len(node.input) and node.input[index] and graph.value(node, index) is None:
            yield label(node), f"{node.op_type} along {node.input[index]}, which is computed; expected a constant"
        yield from _attributes(node)


def _attributes(node: NodeProto) -> Iterator[Hit]:
    for attribute in node.attribute:
        allowed = ATTRIBUTES.get(node.op_type, {}).get(attribute.name)
        if allowed is None:
            continue
        value = helper.get_attribute_value(attribute)
        for part in value if isinstance(value, list) else [value]:
            part = part.decode() if isinstance(part, bytes) else part
            if part not in allowed:
                expected = " or ".join(sorted(str(choice) for choice in allowed))
                yield label(node), f"{node.op_type} with {attribute.name}={part}; expected {expected}"
                break


def dynamic_shape(graph: Graph) -> Iterator[Hit]:
    for name in graph.names:
        shape = graph.shape_of(name)
        if shape is None:
            if _is_first_unknown(graph, name):
                yield name, "its shape cannot be told before it runs"
        elif axes := [axis for axis, length in enumerate(shape) if length is None and axis > 0]:
            yield name, f"axis {', '.join(str(axis) for axis in axes)} has no fixed length"


def _is_first_unknown(graph: Graph, name: str) -> bool:
    """Whether the fault lies here: an operator of the list does not know its result, though it knows what it reads."""
    node = graph.writers.get(name)
    if node is None:
        return True
    known = all(graph.shape_of(read) is not None for read in node.input if read)
    return known and node.domain in DEFAULT_DOMAIN and node.op_type in graph.version.operators


def float64(graph: Graph) -> Iterator[Hit]:
    for name in graph.names:
        if graph.type_of(name) == TensorProto.DOUBLE:
            yield name, "float64"


def int64(graph: Graph) -> Iterator[Hit]:
    """Shapes, axes, pads and timesteps are vectors or scalars; what has more axes is data."""
    for name in graph.names:
        shape = graph.shape_of(name)
        if graph.type_of(name) == TensorProto.INT64 and shape is not None and len(shape) > 1:
            yield name, f"int64 with {len(shape)} axes"


def mixed_types(graph: Graph) -> Iterator[Hit]:
    for node in graph.nodes:
        if node.op_type == "Resize":
            continue  # its scales are parameters of the build, always float32
        types = {name: graph.type_of(name) for name in node.input if name}
        floats = {name: kind for name, kind in types.items() if kind in FLOATS}
        if len(set(floats.values())) > 1:
            kinds = " and ".join(f"{name} ({type_name(kind)})" for name, kind in floats.items())
            yield label(node), f"{node.op_type} reads {kinds}"
