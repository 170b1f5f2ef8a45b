"""Make a graph smaller without changing what it computes: fold constants, absorb biases, drop what nothing reads."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection

import numpy as np
import onnx
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from build_engines.onnx_check import complete, shapes
from edge_sr.errors import UsageError

RANDOM = {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
SUBGRAPHS = {AttributeProto.GRAPH, AttributeProto.GRAPHS}


def simplify(model: ModelProto) -> ModelProto:
    """Fold, absorb, clean and check; the same inputs, outputs and opset. The model that came is left alone.

    Raises UsageError for control flow: what a branch or a loop body reads from outside is not followed here.
    """
    simple = ModelProto()
    simple.CopyFrom(model)
    simplify_in_place(simple)
    return simple


def simplify_in_place(model: ModelProto) -> None:
    """The same for a model that nobody else reads: one copy of the weights less."""
    _refuse_control_flow(model)
    del model.graph.value_info[:]
    fold_constants(model)
    absorb_biases(model)
    cancel_pixel_shuffles(model)
    rectify_before_shuffles(model)
    fix_reshapes(model)
    drop_unread(model)
    share_equal_constants(model)
    complete(model)


def fold_constants(model: ModelProto) -> None:
    """Compute every node whose inputs are all constants. Unfolded weights stay under their names."""
    graph = model.graph
    known = _constants(model)
    kept: list[NodeProto] = []
    for node in graph.node:  # topologically sorted, as ONNX demands
        if node.op_type not in RANDOM and all(name in known for name in node.input if name):
            for name, value in zip(filter(None, node.output), _evaluate(model, node, known), strict=True):
                array = np.asarray(value, order="C")  # not ascontiguousarray: it turns a scalar into a vector
                known[name] = numpy_helper.from_array(array, name)
                graph.initializer.append(known[name])
        else:
            kept.append(node)
    replace_nodes(model, kept)


def _evaluate(model: ModelProto, node: NodeProto, known: dict[str, TensorProto]) -> list[np.ndarray]:
    """The outputs of one node, those that it leaves out apart."""
    feeds = {name: numpy_helper.to_array(known[name]) for name in node.input if name}
    ports = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in feeds.items()
    ]
    results = [helper.make_empty_tensor_value_info(name) for name in node.output if name]
    single = helper.make_model(helper.make_graph([node], "one", ports, results), opset_imports=list(model.opset_import))
    return [np.asarray(value) for value in ReferenceEvaluator(single).run(None, feeds)]


def absorb_biases(model: ModelProto) -> None:
    """Conv followed by the addition of one constant a channel becomes one Conv with another bias."""
    graph = model.graph
    known = _constants(model)
    readers = _readers(model)
    convolutions = {n.output[0]: n for n in graph.node if n.op_type == "Conv" and readers[n.output[0]] == 1}
    kept: list[NodeProto] = []
    for node in graph.node:
        convolution, bias = _biased(node, convolutions, known) if node.op_type == "Add" else (None, None)
        if convolution is None or bias is None:
            kept.append(node)
            continue
        name = f"{node.output[0]}/bias"
        graph.initializer.append(numpy_helper.from_array(bias, name))
        convolution.input[2:] = [name]
        convolution.output[0] = node.output[0]
    replace_nodes(model, kept)


def _biased(
    add: NodeProto, convolutions: dict[str, NodeProto], known: dict[str, TensorProto]
) -> tuple[NodeProto | None, np.ndarray | None]:
    """The convolution whose output ``add`` shifts by a constant a channel, and its bias with the constant in it."""
    for data, constant in (add.input, reversed(add.input)):
        convolution = convolutions.get(data)
        if convolution is None or constant not in known:
            continue
        weight, *biases = [known.get(name) for name in convolution.input[1:] if name]
        shift = numpy_helper.to_array(known[constant])
        if weight is None or None in biases or len(weight.dims) != 4 or shift.shape != (1, weight.dims[0], 1, 1):
            continue  # a weight or bias that is computed, or a shift that broadcasts in another way
        return convolution, sum((numpy_helper.to_array(bias) for bias in biases if bias), start=shift.ravel())
    return None, None


def cancel_pixel_shuffles(model: ModelProto) -> None:
    """SpaceToDepth of a DepthToSpace with one channel left is what went in."""
    graph = model.graph
    outputs = {output.name for output in graph.output}
    known = shapes(model)
    shuffles = {node.output[0]: node for node in graph.node if node.op_type == "DepthToSpace"}
    renamed: dict[str, str] = {}
    kept: list[NodeProto] = []
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        undoes = node.op_type == "SpaceToDepth" and node.output[0] not in outputs
        before = shuffles.get(node.input[0]) if undoes else None
        if before is not None and blocksize(before) == blocksize(node) and _channels(known, node.input[0]) == 1:
            renamed[node.output[0]] = before.input[0]
        else:
            kept.append(node)
    replace_nodes(model, kept)


def blocksize(node: NodeProto) -> int:
    """Of a DepthToSpace or SpaceToDepth."""
    return next(int(attribute.i) for attribute in node.attribute if attribute.name == "blocksize")


def _channels(known: dict[str, onnx.ValueInfoProto], name: str) -> int:
    return int(known[name].type.tensor_type.shape.dim[1].dim_value) if name in known else 0


def rectify_before_shuffles(model: ModelProto) -> None:
    """A ReLU behind a DepthToSpace goes before it, where it fuses with a convolution and has fewer places to read."""
    graph = model.graph
    readers = _readers(model)
    shuffles = {n.output[0]: n for n in graph.node if n.op_type == "DepthToSpace" and readers[n.output[0]] == 1}
    kept: list[NodeProto] = []
    for node in graph.node:
        shuffle = shuffles.get(node.input[0]) if node.op_type == "Relu" else None
        if shuffle is None:
            kept.append(node)
            continue
        (rectified, result) = f"{node.output[0]}/before_shuffle", node.output[0]
        before, after = NodeProto(), NodeProto()
        before.CopyFrom(node)
        after.CopyFrom(shuffle)
        before.input[:], before.output[:] = shuffle.input, [rectified]
        after.input[:], after.output[:] = [rectified], [result]
        kept = [other for other in kept if other is not shuffle]
        kept += [before, after]
    replace_nodes(model, kept)


def fix_reshapes(model: ModelProto) -> None:
    """A Reshape to a shape that is computed gets a constant one where all axes but the first are known.

    Exporters write GroupNorm with Shape nodes, which keep ONNX Runtime from running the convolution before in 8 bits.
    """
    graph = model.graph
    if not any(node.op_type == "Shape" for node in graph.node):
        return
    constants, known = _constants(model), shapes(model)
    for node in graph.node:
        if node.op_type != "Reshape" or node.input[1] in constants or node.output[0] not in known:
            continue
        axes = [int(axis.dim_value) for axis in known[node.output[0]].type.tensor_type.shape.dim]
        if not axes or 0 in axes[1:]:
            continue
        name = f"{node.output[0]}/shape"
        graph.initializer.append(numpy_helper.from_array(np.array([axes[0] or -1, *axes[1:]]), name))
        node.input[1] = name


def drop_unread(model: ModelProto) -> None:
    """Remove nodes and constants that no output depends on."""
    graph = model.graph
    wanted = {output.name for output in graph.output}
    kept: list[NodeProto] = []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            wanted.update(filter(None, node.input))  # "" stands for one that is left out
            kept.append(node)
    replace_nodes(model, kept[::-1])
    wanted.update(port.name for port in graph.input)  # a constant of that name is the port's default
    _drop_constants(model, {tensor.name for tensor in graph.initializer} - wanted)


def share_equal_constants(model: ModelProto) -> None:
    """Constants with the same type, shape and bytes become one. Those that are graph outputs keep their names."""
    graph = model.graph
    outputs = {output.name for output in graph.output}
    first: dict[str, str] = {}
    renamed: dict[str, str] = {}
    for name, tensor in sorted(_constants(model).items(), key=lambda item: item[0] not in outputs):
        content = numpy_helper.to_array(tensor).tobytes()
        key = hashlib.sha256(f"{tensor.data_type} {list(tensor.dims)} ".encode() + content).hexdigest()
        kept = first.setdefault(key, name)
        if kept != name and name not in outputs:
            renamed[name] = kept
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    _drop_constants(model, renamed)


def _drop_constants(model: ModelProto, names: Collection[str]) -> None:
    """One by one: a list that is emptied and filled anew would hold the memory of both."""
    tensors = model.graph.initializer
    for index in reversed(range(len(tensors))):
        if tensors[index].name in names:
            del tensors[index]


def _constants(model: ModelProto) -> dict[str, TensorProto]:
    """Initialisers by name, without those that only give a graph input its default."""
    ports = {port.name for port in model.graph.input}
    return {tensor.name: tensor for tensor in model.graph.initializer if tensor.name not in ports}


def _readers(model: ModelProto) -> Counter[str]:
    """How often each tensor is read, by nodes and by whoever runs the graph."""
    readers = Counter(name for node in model.graph.node for name in node.input)
    readers.update(output.name for output in model.graph.output)
    return readers


def _refuse_control_flow(model: ModelProto) -> None:
    for node in model.graph.node:
        if any(attribute.type in SUBGRAPHS for attribute in node.attribute):
            raise UsageError(
                f"control flow: {node.op_type}", where=node.name or node.output[0], expected="a plain graph"
            )


def replace_nodes(model: ModelProto, nodes: list[NodeProto]) -> None:
    copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)
