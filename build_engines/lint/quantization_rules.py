"""Checks of Q/DQ pairs, for explicit INT8 as TensorRT takes it. Each yields (where, what)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from onnx import NodeProto, TensorProto

from build_engines.lint.graph import Graph, Hit, label, type_name
from build_engines.quantize import OUT_AXIS

CHANNELS = 32
FP16_SCALES = 19  # the first opset that has them


def broken_pair(graph: Graph) -> Iterator[Hit]:
    outputs = {port.name for port in graph.model.graph.output}
    for node in graph.nodes:
        if node.op_type == "QuantizeLinear":
            if node.output[0] in outputs:
                yield label(node), "its codes leave the graph"
            faults = (_misread(graph, node, reader) for reader in graph.readers[node.output[0]])
            yield from ((label(node), fault) for fault in faults if fault)
        if node.op_type == "DequantizeLinear" and not _has_codes(graph, node):
            yield label(node), f"reads {node.input[0]}, which no QuantizeLinear writes"


def _has_codes(graph: Graph, node: NodeProto) -> bool:
    return node.input[0] in graph.values or graph.written_by(node.input[0], "QuantizeLinear") is not None


def _misread(graph: Graph, node: NodeProto, reader: NodeProto) -> str:
    if reader.op_type != "DequantizeLinear":
        return f"{reader.op_type} {label(reader)} reads its codes"
    written, read = graph.value(node, 1), graph.value(reader, 1)
    if written is not None and read is not None and not np.array_equal(written, read, equal_nan=True):
        return f"{label(reader)} reads its codes by another scale"
    return ""


def not_int8(graph: Graph) -> Iterator[Hit]:
    for node in graph.pairs():
        kind = _codes(graph, node)
        if kind not in (TensorProto.INT8, TensorProto.UNDEFINED):
            yield label(node), f"{type_name(kind)} codes"


def _codes(graph: Graph, node: NodeProto) -> int:
    return graph.type_of(node.output[0] if node.op_type == "QuantizeLinear" else node.input[0])


def zero_point(graph: Graph) -> Iterator[Hit]:
    for node in graph.pairs():
        if len(node.input) < 3 or not node.input[2]:
            continue
        zeros, scales = graph.value(node, 2), graph.value(node, 1)
        if zeros is None:
            yield label(node), f"its zero point {node.input[2]} is computed"
        elif np.any(zeros):
            yield label(node), f"zero point {_example(zeros[zeros != 0])}"
        elif scales is not None and zeros.shape != scales.shape:
            yield label(node), f"{zeros.size} zero points for {scales.size} scales"


def scale(graph: Graph) -> Iterator[Hit]:
    for node in graph.pairs():
        scales = graph.value(node, 1)
        if scales is None:
            yield label(node), f"its scale {node.input[1]} is computed"
        elif np.any(wrong := ~(np.isfinite(scales) & (scales > 0))):
            yield label(node), f"scale {_example(scales[wrong])}"


def _example(values: np.ndarray) -> str:
    more = f" and {values.size - 1} more" if values.size > 1 else ""
    return f"{values.flat[0]}{more}"


def scale_type(graph: Graph) -> Iterator[Hit]:
    for node in graph.pairs():
        kind = graph.type_of(node.input[1])
        if kind not in (TensorProto.FLOAT, TensorProto.UNDEFINED) and graph.opset < FP16_SCALES:
            yield label(node), f"{type_name(kind)} scale at opset {graph.opset}"


def per_channel_activation(graph: Graph) -> Iterator[Hit]:
    for node in graph.pairs():
        scales = graph.value(node, 1)
        if scales is not None and scales.size > 1 and graph.rounds(node) not in graph.values:
            yield label(node), f"{scales.size} scales for {graph.rounds(node)}"


def weight_axis(graph: Graph) -> Iterator[Hit]:
    for convolution in graph.convolutions():
        reader = graph.written_by(convolution.input[1], "DequantizeLinear")
        if reader is None:
            continue
        writer = graph.written_by(reader.input[0], "QuantizeLinear")
        for node in filter(None, (writer, reader)):
            if fault := _axis_fault(graph, node, OUT_AXIS[convolution.op_type]):
                yield label(node), f"{fault}, for the {convolution.op_type} {label(convolution)}"


def _axis_fault(graph: Graph, node: NodeProto, expected: int) -> str:
    scales, shape = graph.value(node, 1), graph.shape_of(node.input[0])
    if scales is None or scales.size == 1 or shape is None:
        return ""
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1) % len(shape)
    if axis != expected:
        return f"scales along axis {axis}, expected {expected}"
    return f"{scales.size} scales for {shape[axis]} channels" if scales.shape != (shape[axis],) else ""


def bias(graph: Graph) -> Iterator[Hit]:
    for node in graph.convolutions():
        if len(node.input) > 2 and graph.written_by(node.input[2], "DequantizeLinear"):
            yield label(node), f"its bias {node.input[2]} comes from a DequantizeLinear"


def half_quantized(graph: Graph) -> Iterator[Hit]:
    for node in graph.convolutions():
        data, weight = (graph.dequantizer(name) for name in node.input[:2])
        if bool(data) != bool(weight):
            yield label(node), f"Q/DQ before its {'data' if data else 'weights'} alone"


def concat_scales(graph: Graph) -> Iterator[Hit]:
    for node in graph.nodes:
        if node.op_type != "Concat":
            continue
        pairs = [graph.written_by(name, "DequantizeLinear") for name in node.input]
        quantized = [pair for pair in pairs if pair is not None]
        scales = [graph.value(pair, 1) for pair in quantized]
        if quantized and len(quantized) < len(pairs):
            yield label(node), f"Q/DQ before {len(quantized)} of {len(pairs)} inputs"
        elif len(different := {scale.tobytes() for scale in scales if scale is not None}) > 1:
            yield label(node), f"{len(different)} different scales"


def residual_add(graph: Graph) -> Iterator[Hit]:
    for node, quantized in _unfused_sums(graph):
        if quantized or _has_int8_branch(graph, node):
            where = ("neither input", "the convolution's output", "both inputs")[quantized]
            yield label(node), f"Q/DQ before {where}"


def residual_float(graph: Graph) -> Iterator[Hit]:
    for node, quantized in _unfused_sums(graph):
        if not quantized and not _has_int8_branch(graph, node):
            yield label(node), "its skip branch is not INT8 anywhere"


def _unfused_sums(graph: Graph) -> Iterator[tuple[NodeProto, int]]:
    """Sums of an INT8 convolution and a tensor that do not become one layer; how many of the two have a pair."""
    for node in graph.nodes:
        if node.op_type != "Add" or any(name in graph.values for name in node.input):
            continue
        pairs = [graph.written_by(name, "DequantizeLinear") for name in node.input]
        sources = [graph.rounds(pair) if pair else name for pair, name in zip(pairs, node.input, strict=True)]
        sums = [graph.is_int8(graph.writers.get(name)) for name in sources]
        fuses = any(sums[i] and not pairs[i] and pairs[1 - i] for i in (0, 1))
        if any(sums) and not fuses:
            yield node, sum(1 for pair in pairs if pair)


def _has_int8_branch(graph: Graph, node: NodeProto) -> bool:
    """Whether what is added to the convolution is rounded for another reader, or is an INT8 convolution too."""
    if all(graph.is_int8(graph.writers.get(name)) for name in node.input):
        return True
    return any(reader.op_type == "QuantizeLinear" for name in node.input for reader in graph.readers[name])


def float32_beside_int8(graph: Graph) -> Iterator[Hit]:
    convolutions = [node for node in graph.convolutions() if graph.is_int8(node)]
    single = sum(graph.type_of(node.output[0]) == TensorProto.FLOAT for node in convolutions)
    if single:
        yield graph.name, f"{single} of {len(convolutions)} INT8 convolutions write float32"


def channels(graph: Graph) -> Iterator[Hit]:
    for node in graph.convolutions():
        shape = graph.shape_of(node.input[1])
        if not graph.is_int8(node) or shape is None:
            continue
        group = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
        out = OUT_AXIS[node.op_type]
        counts = {"out": (shape[out] or 0) * (group if out else 1), "in": (shape[1 - out] or 0) * (1 if out else group)}
        odd = [f"{count} {side}" for side, count in sorted(counts.items()) if count % CHANNELS]
        if odd:
            yield label(node), f"channels: {', '.join(odd)}"
