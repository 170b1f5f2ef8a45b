"""A graph with other nodes."""

from __future__ import annotations

from collections.abc import Iterable

from onnx import ModelProto, NodeProto, TensorProto

from build_engines.onnx_check import complete
from build_engines.simplify import drop_unread, replace_nodes


def with_nodes(model: ModelProto, nodes: list[NodeProto], constants: Iterable[TensorProto] = ()) -> ModelProto:
    """A copy of these nodes in order, with more constants and without what nothing reads; its shapes are found anew."""
    rewritten = ModelProto()
    rewritten.CopyFrom(model)
    replace_nodes(rewritten, nodes)
    rewritten.graph.initializer.extend(constants)
    del rewritten.graph.value_info[:]
    drop_unread(rewritten)
    complete(rewritten)
    return rewritten
