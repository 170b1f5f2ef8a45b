"""Running a graph as it is written, type for type; for graphs in FP16."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import onnx
import onnxruntime as ort
from onnx import ModelProto, NodeProto, helper, numpy_helper


def types(model: ModelProto) -> dict[str, int]:
    """Element type of every tensor."""
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    found = {p.name: p.type.tensor_type.elem_type for p in (*inferred.value_info, *inferred.input, *inferred.output)}
    return found | {tensor.name: tensor.data_type for tensor in inferred.initializer}


def run(model: ModelProto, given: Mapping[str, np.ndarray]) -> np.ndarray:
    """The first output, by ONNX Runtime without its optimiser."""
    session = ort.InferenceSession(model.SerializeToString(), options(), providers=["CPUExecutionProvider"])
    (first, *_) = session.run(None, dict(given))
    return first


def options() -> ort.SessionOptions:
    plain = ort.SessionOptions()
    plain.intra_op_num_threads, plain.log_severity_level = 1, 4
    plain.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return plain


Altered = Callable[[NodeProto, int, np.ndarray], np.ndarray]
"""node, index of its input, what stands there -> what the node reads instead."""


def node_by_node(
    model: ModelProto, given: Mapping[str, np.ndarray], *, altered: Altered = lambda node, index, value: value
) -> dict[str, np.ndarray]:
    """All tensors, every node a model of its own.

    On a CPU ONNX Runtime computes FP16 graphs in float32 and leaves out the rounding between two nodes; here every
    tensor is rounded to the type that it has in the file.
    """
    values = {**{t.name: numpy_helper.to_array(t) for t in model.graph.initializer}, **given}
    for node in model.graph.node:
        read = {name: altered(node, index, values[name]) for index, name in enumerate(node.input) if name}
        ports = [
            helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(np.asarray(v).dtype), np.shape(v))
            for n, v in read.items()
        ]
        results = [helper.make_empty_tensor_value_info(name) for name in node.output]
        single = helper.make_model(
            helper.make_graph([node], "one", ports, results), opset_imports=list(model.opset_import), ir_version=10
        )
        session = ort.InferenceSession(single.SerializeToString(), options(), providers=["CPUExecutionProvider"])
        values.update(zip(node.output, session.run(None, read), strict=True))
    return values
