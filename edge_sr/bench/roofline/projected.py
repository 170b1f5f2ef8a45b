"""A generator with the projection behind it, to be counted: a feed-forward bundle has no composed graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

STAGE = "generator/"
PREFIX = "projection_"
# The rounds of ``edge_sr.image.consistency.project`` as ``edge-sr build`` writes them; pixels of a block lie on axis 1.
FIRST = """
    mean0 = ReduceMean<keepdims=1>(blocks0, axis) residual0 = Sub(target, mean0)
    moved0 = Add(blocks0, residual0) blocks1 = Clip(moved0, low, high)
"""
FURTHER = """
    mean{i} = ReduceMean<keepdims=1>(blocks{i}, axis) residual{i} = Sub(target, mean{i})
    up{i} = Sub(high, blocks{i}) rises{i} = Greater(residual{i}, low) room{i} = Where(rises{i}, up{i}, blocks{i})
    is_free{i} = Greater(room{i}, low) free{i} = Cast<to=1>(is_free{i})
    sum{i} = ReduceSum<keepdims=1>(free{i}, axis) count{i} = Max(sum{i}, high)
    whole{i} = Mul(residual{i}, pixels) share{i} = Div(whole{i}, count{i}) step{i} = Mul(free{i}, share{i})
    moved{i} = Add(blocks{i}, step{i}) blocks{n} = Clip(moved{i}, low, high)
"""


def with_projection(generator: ModelProto, *, scale: int, rounds: int) -> ModelProto:
    """A copy that computes as much as the graph that a build would make of the generator, ``lr -> sr``.

    rounds: 0 leaves the clip alone.
    """
    from onnx import ModelProto, parser

    model = ModelProto()
    model.CopyFrom(generator)
    for node in model.graph.node:
        node.name = STAGE + (node.name or node.output[0])
    (lr,) = (port for port in model.graph.input if port.name == "lr")
    width = lr.type.tensor_type.shape.dim[3].dim_value
    body = "blocks0 = Reshape(sr, laid) target = Reshape(lr, laid_lr) "
    body += "".join((FURTHER if i else FIRST).format(i=i, n=i + 1) for i in range(rounds))
    body += "" if rounds else "blocks1 = Clip(blocks0, low, high)"
    constants = (
        f"int64[4] laid = {{0, {scale**2}, -1, {width}}}, int64[4] laid_lr = {{0, 1, -1, {width}}},"
        f" int64[1] axis = {{1}}, float low = {{0}}, float high = {{1}}, float pixels = {{{scale**2}}}"
    )
    text = f"projection (float[N,C,H,W] sr, float[N,C,h,w] lr) => (float[N,B,h,w] blocks1) <{constants}> {{ {body} }}"
    added = parser.parse_model(f'<ir_version: 10, opset_import: ["" : 20]> {text}').graph
    model.graph.node.extend(map(_apart, added.node))
    for tensor in added.initializer:
        tensor.name = f"{PREFIX}{tensor.name}"
    model.graph.initializer.extend(added.initializer)
    return model


def _apart(node: NodeProto) -> NodeProto:
    """With names that the generator has none of."""
    for names in (node.input, node.output):
        names[:] = [name if name in ("sr", "lr") else f"{PREFIX}{name}" for name in names]
    return node
