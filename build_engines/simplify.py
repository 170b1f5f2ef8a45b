"""Make a graph smaller without changing what it computes: fold constants, absorb biases, drop what nothing reads."""

from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator


def simplify(model: ModelProto) -> ModelProto:
    """Fold, absorb, clean and check; the same inputs, outputs and opset. The model that came is left alone."""
    simple = ModelProto()
    simple.CopyFrom(model)
    del simple.graph.value_info[:]
    fold_constants(simple)
    absorb_biases(simple)
    cancel_pixel_shuffles(simple)
    drop_unread(simple)
    share_equal_constants(simple)
    simple = onnx.shape_inference.infer_shapes(simple, strict_mode=True)
    onnx.checker.check_model(simple, full_check=True)
    return simple


def fold_constants(model: ModelProto) -> None:
    """Compute every node whose inputs are all constants. Unfolded weights stay under their names."""
    graph = model.graph
    known = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    kept: list[NodeProto] = []
    for node in graph.node:  # topologically sorted, as ONNX demands
        if all(name in known for name in node.input if name):
            for name, value in zip(node.output, _evaluate(model, node, known), strict=True):
                known[name] = np.asarray(value)
                graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        else:
            kept.append(node)
    _replace_nodes(model, kept)


def _evaluate(model: ModelProto, node: NodeProto, known: dict[str, np.ndarray]) -> list[np.ndarray]:
    inputs = [name for name in node.input if name]
    types = [helper.np_dtype_to_tensor_dtype(known[name].dtype) for name in inputs]
    ports = [
        helper.make_tensor_value_info(name, kind, known[name].shape)
        for name, kind in dict(zip(inputs, types, strict=True)).items()
    ]
    results = [helper.make_empty_tensor_value_info(name) for name in node.output]
    single = helper.make_model(
        helper.make_graph([node], "one", ports, results), opset_imports=list(model.opset_import)
    )
    outcome = ReferenceEvaluator(single).run(None, {name: known[name] for name in inputs})
    return [np.asarray(value) for value in outcome]


def absorb_biases(model: ModelProto) -> None:
    """Conv followed by the addition of one constant a channel becomes one Conv with another bias."""
    graph = model.graph
    known = {tensor.name: tensor for tensor in graph.initializer}
    readers = Counter(name for node in graph.node for name in node.input)
    convolutions = {n.output[0]: n for n in graph.node if n.op_type == "Conv" and readers[n.output[0]] == 1}
    kept: list[NodeProto] = []
    for node in graph.node:
        convolution, shift = _biased(node, convolutions, known) if node.op_type == "Add" else (None, None)
        if convolution is None or shift is None:
            kept.append(node)
            continue
        bias = shift.ravel()
        if len(convolution.input) > 2:
            bias = bias + numpy_helper.to_array(known[convolution.input[2]])
        name = f"{node.output[0]}/bias"
        graph.initializer.append(numpy_helper.from_array(bias, name))
        convolution.input[2:] = [name]
        convolution.output[0] = node.output[0]
    _replace_nodes(model, kept)


def _biased(
    add: NodeProto, convolutions: dict[str, NodeProto], known: dict[str, TensorProto]
) -> tuple[NodeProto | None, np.ndarray | None]:
    """The convolution and the constant of (1, C, 1, 1) that ``add`` adds to it, or None."""
    for data, constant in (add.input, reversed(add.input)):
        if data in convolutions and constant in known:
            value = numpy_helper.to_array(known[constant])
            if value.ndim == 4 and value.shape == (1, value.shape[1], 1, 1):
                return convolutions[data], value
    return None, None


def cancel_pixel_shuffles(model: ModelProto) -> None:
    """SpaceToDepth of a DepthToSpace with one channel left is what went in."""
    graph = model.graph
    shapes = {v.name: v for v in onnx.shape_inference.infer_shapes(model).graph.value_info}
    shuffles = {node.output[0]: node for node in graph.node if node.op_type == "DepthToSpace"}
    renamed: dict[str, str] = {}
    kept: list[NodeProto] = []
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        before = shuffles.get(node.input[0]) if node.op_type == "SpaceToDepth" else None
        if before is not None and _blocksize(before) == _blocksize(node) and _channels(shapes, node.input[0]) == 1:
            renamed[node.output[0]] = before.input[0]
        else:
            kept.append(node)
    _replace_nodes(model, kept)


def _blocksize(node: NodeProto) -> int:
    return next(int(attribute.i) for attribute in node.attribute if attribute.name == "blocksize")


def _channels(shapes: dict[str, onnx.ValueInfoProto], name: str) -> int:
    return int(shapes[name].type.tensor_type.shape.dim[1].dim_value) if name in shapes else 0


def drop_unread(model: ModelProto) -> None:
    """Remove nodes and constants that no output depends on."""
    graph = model.graph
    wanted = {output.name for output in graph.output}
    kept: list[NodeProto] = []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    _replace_nodes(model, kept[::-1])
    tensors = [tensor for tensor in graph.initializer if tensor.name in wanted]
    del graph.initializer[:]
    graph.initializer.extend(tensors)


def share_equal_constants(model: ModelProto) -> None:
    """Constants with the same type, shape and bytes become one."""
    graph = model.graph
    first: dict[str, TensorProto] = {}
    renamed: dict[str, str] = {}
    for tensor in graph.initializer:
        array = numpy_helper.to_array(tensor)
        key = hashlib.sha256(f"{array.dtype}{array.shape}".encode() + array.tobytes()).hexdigest()
        renamed[tensor.name] = first.setdefault(key, tensor).name
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    unique = list(first.values())
    del graph.initializer[:]
    graph.initializer.extend(unique)


def _replace_nodes(model: ModelProto, nodes: list[NodeProto]) -> None:
    copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)
