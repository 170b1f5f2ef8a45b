"""How much each quantised convolution errs by itself: fed with what the float graph computes, not with the errors of
those before it.

``probed`` puts a second copy of every quantised convolution beside the first, with the Q/DQ pairs that the quantised
graph has around it, and sums up in the graph what they differ by. So one run tells of all convolutions, and no
activation leaves it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper

from build_engines.check.comparison import ratio_db
from build_engines.sensitivity.pairs import PAIR, Pairs
from calibration.collect import Batch, Observer, Open
from edge_sr.backends.base import Backend
from edge_sr.errors import UsageError
from edge_sr.models.seeded import seeded
from edge_sr.tensors import Tensors

SIGNAL, NOISE = "/signal", "/noise"  # what the further outputs end in


def local_errors(open_model: Open, batches: Iterable[Batch], *, backend: Backend) -> dict[str, float]:
    """Quantised convolution, by the tensor it writes -> signal to noise of its output in dB.

    Where a sum reads it beside a quantised branch, it is that of the sum.
    open_model: opens the model by a backend, from graphs that ``probed`` wrote. Raises UsageError where they have no
    quantised convolution, or where there is no batch.
    """
    powers = _Powers(backend)
    with open_model(powers) as model:
        for batch in batches:
            seeded(model, batch.lr, batch.noise_seeds, batch.fidelity)
    names = [name.removesuffix(SIGNAL) for name in powers.sums if name.endswith(SIGNAL)]
    if not names:
        raise UsageError("no convolution to look at", expected="Q/DQ pairs around convolutions, and a picture")
    return {name: ratio_db(powers.sums[name + SIGNAL], powers.sums[name + NOISE]) for name in names}


class _Powers(Observer):
    """A backend whose sessions sum up the powers that they put out."""

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend, ())
        self.sums: dict[str, float] = defaultdict(float)

    def observe(self, values: Tensors) -> None:
        for name in values:
            if name.endswith((SIGNAL, NOISE)):
                self.sums[name] += float(np.sum(values[name]))


def probed(model: ModelProto, quantised: ModelProto) -> ModelProto:
    """The graph with the powers of each quantised convolution's output and of its error as further outputs.

    model: in float32 or FP16. quantised: what ``insert_qdq`` made of it.
    """
    return _Probes(model, quantised).model


class _Probes:
    """Writes the copies into the float graph."""

    def __init__(self, model: ModelProto, quantised: ModelProto) -> None:
        self.model = ModelProto()
        self.model.CopyFrom(model)
        self.quantised = quantised.graph
        self.pairs = Pairs(quantised)
        self.known = {tensor.name for tensor in model.graph.initializer}
        self.written: set[str] = set()
        self._add_constants()
        for node in self.pairs.convolutions():
            self._probe(node)

    def _add_constants(self) -> None:
        for tensor in self.quantised.initializer:
            if tensor.name not in self.known:
                self.model.graph.initializer.append(tensor)

    def _probe(self, node: NodeProto) -> None:
        name = node.output[0]
        judged, copy = name, self._copy(node, name, {})
        if total := self.pairs.sum_of(name):
            judged, copy = total.output[0], self._copy(total, name, {name: copy})
        expected = self._write("Cast", [judged], f"{name}/expected", to=TensorProto.FLOAT)  # FP16 ends at 65504
        got = self._write("Cast", [copy], f"{name}/got", to=TensorProto.FLOAT)
        difference = self._write("Sub", [expected, got], f"{name}/difference")
        for of, what in ((expected, SIGNAL), (difference, NOISE)):
            power = self._write("ReduceSumSquare", [of], f"{name}{what}", keepdims=0)
            self.model.graph.output.append(helper.make_tensor_value_info(power, TensorProto.FLOAT, []))

    def _copy(self, node: NodeProto, probe: str, instead: Mapping[str, str]) -> str:
        """The node once more, with its pairs, on what the float32 graph computes; returns what it writes."""
        copied = NodeProto()
        copied.CopyFrom(node)
        copied.name = copied.output[0] = f"{probe}/probe/{node.output[0]}"
        for index, name in enumerate(node.input):
            writer = self.pairs.writer.get(name)
            if writer is not None and writer.op_type in PAIR:
                copied.input[index] = self._copy(writer, probe, instead)
            else:
                copied.input[index] = instead.get(name, name)
        if copied.name not in self.written:
            self.written.add(copied.name)
            self.model.graph.node.append(copied)
        return copied.name

    def _write(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.model.graph.node.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output
