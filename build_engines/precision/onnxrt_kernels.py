"""Exact rewrites for ONNX Runtime's 8-bit kernels on a CPU, which lay pictures out with the channels last.

``before_quantizing`` turns what has no such kernel into what has one; ``after_quantizing`` lets values be moved as
8-bit codes, where ONNX Runtime would else go back to float32 or to channels first, and back again. Neither changes what
is computed. For TensorRT, which fuses and lays out by itself, neither is used.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from build_engines.onnx_check import complete
from build_engines.quantize import Ranges
from build_engines.simplify import blocksize, drop_unread, replace_nodes

SPREAD = "/spread"  # after the name of a transposed convolution, its weights and its bias


def before_quantizing(model: ModelProto) -> ModelProto:
    """The float32 graph with its transposed convolutions as convolutions, and shuffles that move whole pixels.

    The model that came is left alone; tensors that both graphs have are equal.
    """
    rewritten = ModelProto()
    rewritten.CopyFrom(model)
    del rewritten.graph.value_info[:]
    spread_transposed_convolutions(rewritten)
    shuffle_depth_first(rewritten)
    drop_unread(rewritten)
    complete(rewritten)
    return rewritten


def spread_transposed_convolutions(model: ModelProto) -> None:
    """A ConvTranspose whose kernel is as wide as its stride is a 1x1 convolution and a pixel shuffle."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    kept: list[NodeProto] = []
    for node in model.graph.node:
        weight = constants.get(node.input[1]) if node.op_type == "ConvTranspose" else None
        if weight is None or not _tiles(node, weight.dims):
            kept.append(node)
            continue
        kept += _spread(model, node, numpy_helper.to_array(weight))
    replace_nodes(model, kept)


def _tiles(node: NodeProto, dims: list[int]) -> bool:
    """Whether every input pixel makes a block of output pixels that no other touches."""
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    plain = all(attributes.get(name, 1) in (1, [1, 1]) for name in ("group", "dilations"))
    cut = any(any(attributes.get(name, ())) for name in ("pads", "output_padding", "output_shape"))
    automatic = attributes.get("auto_pad", b"NOTSET") != b"NOTSET"
    block = list(attributes.get("strides", (1, 1)))
    return plain and not (cut or automatic) and len(set(block)) == 1 and block == list(dims[2:])


def _spread(model: ModelProto, node: NodeProto, weight: np.ndarray) -> list[NodeProto]:
    """weight: (C_in, C_out, k, k) -> (k * k * C_out, C_in, 1, 1), the place in a block first, as DCR reads it."""
    c_in, c_out, k, _ = weight.shape
    names = [node.input[0], f"{node.input[1]}{SPREAD}"]
    spread = weight.transpose(2, 3, 1, 0).reshape(k * k * c_out, c_in, 1, 1)
    _add_constant(model, names[1], spread)
    if len(node.input) > 2:
        (bias,) = (numpy_helper.to_array(t) for t in model.graph.initializer if t.name == node.input[2])
        names.append(f"{node.input[2]}{SPREAD}")
        _add_constant(model, names[2], np.tile(bias, k * k))
    (result,) = node.output
    return [
        helper.make_node("Conv", names, [f"{result}{SPREAD}"], name=f"{node.name}{SPREAD}", kernel_shape=[1, 1]),
        helper.make_node("DepthToSpace", [f"{result}{SPREAD}"], [result], name=node.name, blocksize=k, mode="DCR"),
    ]


def with_spread(ranges: Ranges, model: ModelProto) -> Ranges:
    """The ranges, also for what ``before_quantizing`` put before a shuffle: a shuffle changes no value."""
    spread = {
        name: name.removesuffix(SPREAD) for node in model.graph.node for name in node.output if name.endswith(SPREAD)
    }
    return {**ranges, **{name: ranges[whole] for name, whole in spread.items() if whole in ranges}}


def _add_constant(model: ModelProto, name: str, value: np.ndarray) -> None:
    if all(tensor.name != name for tensor in model.graph.initializer):
        model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))


def shuffle_depth_first(model: ModelProto) -> None:
    """Order the channels of a convolution so that the shuffle behind it moves whole pixels: CRD becomes DCR."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        mode = next((attribute for attribute in node.attribute if attribute.name == "mode"), None)
        if node.op_type != "DepthToSpace" or mode is None or mode.s != b"CRD":
            continue
        tensors = [constants.get(name) for name in _only_for(model, node)]
        if tensors and None not in tensors:
            for tensor in filter(None, tensors):
                _order_depth_first(tensor, blocksize(node))
            mode.s = b"DCR"


def _only_for(model: ModelProto, shuffle: NodeProto) -> list[str]:
    """Weight and bias of the convolution whose output, rectified or not, the shuffle alone reads; else nothing."""
    writer = {name: node for node in model.graph.node for name in node.output}
    readers = Counter(name for node in model.graph.node for name in node.input)
    path = [shuffle.input[0]]
    before = writer.get(path[0])
    if before is not None and before.op_type == "Relu":
        path.append(before.input[0])
        before = writer.get(before.input[0])
    if before is None or before.op_type != "Conv":
        return []
    names = list(before.input[1:])
    return names if all(readers[name] == 1 for name in (*path, *names)) else []


def _order_depth_first(tensor: TensorProto, k: int) -> None:
    """(C * k * k, ...) with the channel first -> with the place in the block first."""
    value = numpy_helper.to_array(tensor)
    ordered = value.reshape(-1, k * k, *value.shape[1:]).swapaxes(0, 1).reshape(value.shape)
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(ordered), tensor.name))


def after_quantizing(model: ModelProto) -> ModelProto:
    """The graph with Q/DQ pairs, with ReLUs and pixel shuffles between equal pairs done on the codes."""
    rewritten = ModelProto()
    rewritten.CopyFrom(model)
    graph = _Codes(rewritten)
    kept: list[NodeProto] = []
    for node in rewritten.graph.node:
        node.input[:] = [graph.renamed.get(name, name) for name in node.input]
        kept += graph.on_codes(node)
    replace_nodes(rewritten, kept)
    drop_unread(rewritten)
    del rewritten.graph.value_info[:]
    complete(rewritten)
    return rewritten


class _Codes:
    """Finds operators between a DequantizeLinear and a QuantizeLinear of one grid."""

    def __init__(self, model: ModelProto) -> None:
        self.model = model
        self.writer = {name: node for node in model.graph.node for name in node.output}
        values = [*model.graph.value_info, *model.graph.input, *model.graph.output]
        self.shapes = {v.name: [axis.dim_value for axis in v.type.tensor_type.shape.dim] for v in values}
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.renamed: dict[str, str] = {}

    def on_codes(self, node: NodeProto) -> list[NodeProto]:
        """What stands for the node: itself, or, for a QuantizeLinear behind such an operator, that on codes."""
        between = self.writer.get(node.input[0]) if node.op_type == "QuantizeLinear" else None
        before = self.writer.get(between.input[0]) if between is not None and between.input else None
        if between is None or before is None or not _same_grid(before, node):
            return [node]
        codes = self.renamed.get(before.input[0], before.input[0])
        if between.op_type == "DepthToSpace":
            return self.shuffled(between, codes, node.output[0])
        if between.op_type != "Relu":
            return [node]
        if self.zero_is_lowest(node.input[2]):
            self.renamed[node.output[0]] = codes  # the codes are rectified already
            return []
        return [helper.make_node("Clip", [codes, node.input[2]], [node.output[0]], name=node.name)]

    def zero_is_lowest(self, zero_point: str) -> bool:
        value = numpy_helper.to_array(self.constants[zero_point])
        return bool(value == np.iinfo(value.dtype).min)

    def shuffled(self, node: NodeProto, codes: str, result: str) -> list[NodeProto]:
        """DepthToSpace of mode DCR with the channels last: (N, H, W, k, k, C) -> (N, H, k, W, k, C)."""
        _, depth, height, width = self.shapes[node.input[0]]
        k = blocksize(node)
        blocks, pixels = f"{result}/blocks", f"{result}/pixels"
        _add_constant(self.model, blocks, np.array([-1, height, width, k, k, depth // (k * k)], np.int64))
        _add_constant(self.model, pixels, np.array([-1, height * k, width * k, depth // (k * k)], np.int64))
        steps: list[tuple[str, list[str], list[int]]] = [
            ("Transpose", [], [0, 2, 3, 1]),
            ("Reshape", [blocks], []),
            ("Transpose", [], [0, 1, 3, 2, 4, 5]),
            ("Reshape", [pixels], []),
            ("Transpose", [], [0, 3, 1, 2]),
        ]
        nodes, data = [], codes
        for number, (operator, more, perm) in enumerate(steps, start=1):
            name = result if number == len(steps) else f"{result}/step{number}"
            nodes.append(helper.make_node(operator, [data, *more], [name], name=name, perm=perm or None))
            data = name
        return nodes


def _same_grid(dequantize: NodeProto, quantize: NodeProto) -> bool:
    return dequantize.op_type == "DequantizeLinear" and list(dequantize.input[1:]) == list(quantize.input[1:])
