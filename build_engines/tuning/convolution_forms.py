"""Forms of one and the same 8-bit convolution, in a graph that ONNX Runtime has optimised.

It has two kernels for ``QLinearConv``. Weights without an offset go to the one that reads the picture where it lies and
multiplies with VNNI. Any others are copied out, a column a pixel, and multiplied as a matrix, for which it has AMX. So
codes that are one lower with a zero point of -1 are the same weights and choose the other kernel; the sums are integers
and so the same, and they are rounded by the same formula.

That kernel clears and fills a buffer as large as all columns of a picture, which is soon larger than a processor's
second-level cache. In strips, each an entry of the batch with the rows that its neighbours share, the buffer is a
strip's.

Which form is fastest depends on the processor and the sizes: ``fastest_forms`` measures it.
(onnxruntime/core/providers/cpu/quantization/qlinearconv.cc, TryConvSymPrepack and Compute.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from build_engines.simplify import drop_unread, replace_nodes
from edge_sr.bench.roofline.shapes import attributes_of, tensors_of

SHIFT = 1  # of the codes; any other than 0 would do
_WEIGHT, _ZERO_POINT = 3, 5  # inputs of QLinearConv


@dataclass(frozen=True)
class Form:
    """shifted: codes and zero point of the weights are one lower. strips: into so many the picture is cut."""

    shifted: bool = False
    strips: int = 1

    def __str__(self) -> str:
        if not self.shifted:
            return "as it is"
        return "as a matrix" + (f" in {self.strips} strips" if self.strips > 1 else "")


AS_IT_IS = Form()
FORMS = (AS_IT_IS, *(Form(shifted=True, strips=count) for count in (1, 2, 4, 8)))


def name_nodes(model: ModelProto) -> None:
    """After what they write, those without a name: by it they are known here, and the profiler tells them apart."""
    for node in model.graph.node:
        node.name = node.name or node.output[0]


def forms_of(model: ModelProto) -> dict[str, tuple[Form, ...]]:
    """The forms that each 8-bit convolution can take, by the name of its node; those with one form alone are left out.

    model: as ONNX Runtime saves it, its nodes named. It is not changed.
    """
    graph = _Graph(model)
    possible = {node.name: tuple(form for form in FORMS if graph.takes(node, form)) for node in model.graph.node}
    return {name: forms for name, forms in possible.items() if len(forms) > 1}


def in_forms(model: ModelProto, forms: Mapping[str, Form]) -> ModelProto:
    """The same graph with these convolutions in these forms. The model that came is left alone."""
    rewritten = ModelProto()
    rewritten.CopyFrom(model)
    graph = _Graph(rewritten)
    replace_nodes(rewritten, [each for node in model.graph.node for each in graph.written(node, forms)])
    rewritten.graph.initializer.extend(graph.added.values())
    drop_unread(rewritten)
    return rewritten


def nodes_of(name: str, form: Form) -> Iterable[str]:
    """The names of all nodes that a convolution in this form is."""
    return (name, *(f"{name}{step}" for step in _STEPS)) if form.strips > 1 else (name,)


_STEPS = ("/padded", "/rows", "/strips", "/whole")  # beside the convolution itself


class _Graph:
    """Writes convolutions in other forms. added: the constants that this takes."""

    def __init__(self, model: ModelProto) -> None:
        self.tensors = tensors_of(model)
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.added: dict[str, TensorProto] = {}

    def takes(self, node: NodeProto, form: Form) -> bool:
        return form == AS_IT_IS or (self.shifts(node) and (form.strips == 1 or self.cuts(node, form.strips)))

    def shifts(self, node: NodeProto) -> bool:
        """Whether it has the channels last and symmetric 8-bit weights with room for a shift."""
        if node.op_type != "QLinearConv" or not attributes_of(node).get("channels_last"):
            return False
        weight, zero_point = (self.constants.get(node.input[index]) for index in (_WEIGHT, _ZERO_POINT))
        if weight is None or zero_point is None or weight.data_type != TensorProto.INT8:
            return False
        codes = numpy_helper.to_array(weight)
        fits = int(codes.min(initial=0)) - SHIFT >= np.iinfo(np.int8).min
        return bool(fits and not numpy_helper.to_array(zero_point).any())

    def cuts(self, node: NodeProto, strips: int) -> bool:
        """Whether strips of equal height are worth a try: a kernel wider than a pixel, without steps or holes."""
        given = attributes_of(node)
        plain = all(each == 1 for name in ("strides", "dilations") for each in given.get(name, ()))
        known = node.input[0] in self.tensors and node.output[0] in self.tensors and node.input[2] in self.constants
        if not plain or not known or given.get("auto_pad", b"NOTSET") != b"NOTSET":
            return False
        height, tall = self.tensors[node.output[0]].shape[1], self.tall(node)
        return tall > 1 and height % strips == 0 and height // strips >= tall

    def written(self, node: NodeProto, forms: Mapping[str, Form]) -> Iterator[NodeProto]:
        """What stands for the node."""
        form = forms.get(node.name, AS_IT_IS)
        copy = NodeProto()
        copy.CopyFrom(node)
        if form.shifted:
            for index in (_WEIGHT, _ZERO_POINT):
                copy.input[index] = self.lowered(node.input[index])
        if form.strips > 1:
            yield from self.cut(copy, form.strips)
        else:
            yield copy

    def lowered(self, name: str) -> str:
        """A constant whose codes are SHIFT lower."""
        codes = numpy_helper.to_array(self.constants[name])
        return self.constant(f"{name}/lower", (codes.astype(np.int16) - SHIFT).astype(np.int8))

    def cut(self, node: NodeProto, strips: int) -> Iterator[NodeProto]:
        """(N, h, w, C) -> (N * strips, rows of a strip, w, C) -> the convolution -> (N, H, W, D)."""
        (_, _, width, depth), (_, height, *rest) = (self.tensors[n].shape for n in (node.input[0], node.output[0]))
        tall = self.tall(node)
        top, left, bottom, right = attributes_of(node).get("pads", [0] * 4)
        own = height // strips
        rows = np.array([[strip * own + row for row in range(own + tall - 1)] for strip in range(strips)])
        padded, taken, cut, whole = (f"{node.name}{step}" for step in _STEPS)
        data = node.input[0]
        if top or bottom:
            pads = self.constant(f"{node.name}/pads", np.array([0, top, 0, 0, 0, bottom, 0, 0]))
            yield helper.make_node("Pad", [data, pads, node.input[2]], [padded], name=padded)
            data = padded
        yield helper.make_node("Gather", [data, self.constant(f"{taken}/at", rows)], [taken], name=taken, axis=1)
        shape = self.constant(f"{cut}/shape", np.array([-1, own + tall - 1, width, depth]))
        yield helper.make_node("Reshape", [taken, shape], [cut], name=cut)
        result = node.output[0]
        node.input[0], node.output[0] = cut, f"{node.name}/cut"
        for attribute in node.attribute:
            if attribute.name == "pads":
                attribute.ints[:] = [0, left, 0, right]
        yield node
        shape = self.constant(f"{whole}/shape", np.array([-1, height, *rest]))
        yield helper.make_node("Reshape", [node.output[0], shape], [result], name=whole)

    def tall(self, node: NodeProto) -> int:
        """The rows of a convolution's kernel."""
        name = node.input[_WEIGHT]
        return int((self.added.get(name) or self.constants[name]).dims[2])

    def constant(self, name: str, value: np.ndarray) -> str:
        self.added.setdefault(name, numpy_helper.from_array(value, name))
        return name
