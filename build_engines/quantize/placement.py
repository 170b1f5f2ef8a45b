"""Where Q/DQ pairs go in a composed graph.

The rules, which follow TensorRT's "Explicit Quantization" (Q/DQ layer-placement recommendations):

- Convolutions are quantised, nothing else: what they read per tensor, their weights per output channel (axis 0 of a
  Conv, axis 1 of a ConvTranspose) and symmetric. Biases stay float32, without Q/DQ.
- Kept high unless asked otherwise: first convolutions, which the LR picture reaches past no other, and last ones, with
  no other behind them. Interpolations (kernels that sum to 1, no bias) are no convolutions in this; they and the
  projection are never touched.
- Every step of the unrolled sampler has its own tensors and so its own ranges, also for what it reads of other
  networks. The weights are shared. The sampler's own arithmetic reads float32.
- Operators that only move or choose values (MOVES) have one range on both sides; all that a Concat joins has one.
  Rounding to a grid commutes with them, and with ReLU where the grid holds 0, so these pairs change no value.
- A sum of a convolution and a skip branch reads the branch quantised, where that is quantised for another reader or is
  a quantised convolution's output: only then do the two fuse.
- In ONNX Runtime a convolution is INT8 only between two pairs, so whatever its network does with the output, rectified
  or not, reads that quantised; and where one of the MOVES stands beside a ReLU, there is a pair on both sides of it
  (elsewhere ONNX Runtime drops the ReLU before a pair).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

from build_engines.quantize.grid import FLAVOURS, Flavour
from edge_sr.errors import UsageError

PICTURE = "lr"  # the composed graph's input that holds it
MOVES = ("Concat", "MaxPool", "DepthToSpace")
OUT_AXIS = {"Conv": 0, "ConvTranspose": 1}  # of the weights
Ranges = Mapping[str, tuple[float, float]]
"""tensor -> its least and greatest value."""


@dataclass(frozen=True)
class Convolution:
    """One quantised convolution. name: the tensor that it writes. axis: that of its weight's output channels.

    data: the tensor it reads. skip: what is added to its output, where the sum reads that quantised. output: its own
    name, where a sum reads that quantised. "" where not.
    """

    name: str
    weight: str
    axis: int
    data: str
    skip: str = ""
    output: str = ""


@dataclass(frozen=True)
class Reader:
    """An input of a node that reads its tensor quantised. node: the first tensor that the node writes."""

    tensor: str
    node: str
    index: int
    group: int


@dataclass(frozen=True)
class Placement:
    """Every place of Q/DQ in one composed graph.

    convolutions: in the order of the graph, so that the n-th one of a weight is that of the n-th step.
    groups: the tensors whose ranges have to be known. Those of one group share theirs, and so do their readers; what
    only a Concat or another of the MOVES reads needs no range of its own.
    """

    flavour: Flavour
    convolutions: tuple[Convolution, ...]
    readers: tuple[Reader, ...]
    groups: tuple[tuple[str, ...], ...]

    @property
    def tensors(self) -> tuple[str, ...]:
        """What a calibration has to observe."""
        return tuple(name for group in self.groups for name in group)

    def limits(self, ranges: Ranges) -> list[tuple[float, float]]:
        """The range of each group: from the least to the greatest value of its tensors.

        Raises UsageError for a tensor without a range, and for a range that is none.
        """
        known = {name: _checked(name, ranges) for name in self.tensors}
        return [(min(known[n][0] for n in group), max(known[n][1] for n in group)) for group in self.groups]


def _checked(name: str, ranges: Ranges) -> tuple[float, float]:
    if name not in ranges:
        expected = "the ranges of this graph: same networks, sampler and number of steps"
        raise UsageError("no range is given for this tensor", where=name, expected=expected)
    low, high = ranges[name]
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise UsageError(f"range from {low} to {high}", where=name, expected="two finite numbers, the lower one first")
    return low, high


def placement(model: ModelProto, flavour: str, *, high: Collection[str] = (), ends: bool = False) -> Placement:
    """The places in a composed float32 graph, by the rules at the top of this module.

    high: further convolutions to leave alone, by the tensor they write or (for all steps) by their weight.
    ends: quantise first and last convolutions too. Raises UsageError for an unknown flavour or convolution.
    """
    if flavour not in FLAVOURS:
        raise UsageError(f"no such flavour: {flavour}", expected=" or ".join(FLAVOURS))
    graph = _Wiring(model)
    graph.check_known(high)
    left_out = set(high)
    return _Places(graph, FLAVOURS[flavour]).of(
        [n for n in graph.inner(ends=ends) if not {n.output[0], n.input[1]} & left_out]
    )


def single_placements(model: ModelProto, flavour: str) -> Iterator[Placement]:
    """The places where one convolution alone is quantised, for each in turn, first and last ones too."""
    graph = _Wiring(model)
    for node in graph.inner(ends=True):
        yield _Places(graph, FLAVOURS[flavour]).of([node])


class _Wiring:
    """Who writes and who reads what, and which convolutions stand first and last."""

    def __init__(self, model: ModelProto) -> None:
        self.nodes = model.graph.node  # topologically sorted, as ONNX demands
        self.writer = {name: node for node in self.nodes for name in node.output}
        self.readers: dict[str, list[NodeProto]] = defaultdict(list)
        for node in self.nodes:
            for name in dict.fromkeys(node.input):
                self.readers[name].append(node)
        constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.convolutions = [n for n in self.nodes if n.op_type in OUT_AXIS and n.input[1] in constants]
        self.interpolations = {n.output[0] for n in self.convolutions if _interpolates(n, constants[n.input[1]])}

    def check_known(self, names: Collection[str]) -> None:
        known = {name for node in self.convolutions for name in (node.output[0], node.input[1])}
        if unknown := sorted(set(names) - known):
            raise UsageError("no convolution writes this or has it as weight", where=unknown[0])

    def inner(self, *, ends: bool) -> list[NodeProto]:
        """The convolutions without first and last ones; with ``ends`` without those that are both."""
        first, last = self.first(), self.last()
        left_out = self.interpolations | (first & last if ends else first | last)
        return [node for node in self.convolutions if node.output[0] not in left_out]

    def first(self) -> set[str]:
        """Convolutions, by what they write, that the picture reaches past no other."""
        reached = {PICTURE}
        found: set[str] = set()
        for node in self.nodes:
            if not reached.isdisjoint(node.input):
                stops = node.op_type in OUT_AXIS and node.output[0] not in self.interpolations
                (found if stops else reached).update(node.output)
        return found

    def last(self) -> set[str]:
        """Convolutions, by what they write, with no other behind them."""
        needed: set[str] = set()  # what some convolution depends on
        found: set[str] = set()
        for node in reversed(self.nodes):
            leads_on = not needed.isdisjoint(node.output)
            if node.op_type in OUT_AXIS and not leads_on:
                found.update(node.output)
            if node.op_type in OUT_AXIS or leads_on:
                needed.update(node.input)
        return found


def _interpolates(node: NodeProto, weight: TensorProto) -> bool:
    """Whether it fills in pixels between those of a picture: one channel of it in, and an even picture stays even."""
    if node.op_type != "Conv" or any(node.input[2:]) or weight.dims[1] != 1:
        return False
    return bool(np.allclose(numpy_helper.to_array(weight).sum((1, 2, 3)), 1, atol=1e-3))


class _Places:
    """Collects the places of one flavour."""

    def __init__(self, graph: _Wiring, flavour: Flavour) -> None:
        self.graph, self.flavour = graph, flavour
        self.readers: list[tuple[str, NodeProto, int]] = []
        self.ranged: list[str] = []  # tensors that need a range
        self.passed: set[str] = set()  # tensors behind which a range was carried on to what wrote them
        self.parent: dict[tuple[str, str], tuple[str, str]] = {}  # of the sets of (network, tensor) with one range

    def of(self, chosen: list[NodeProto]) -> Placement:
        for node in chosen:
            self.read(node, 0)
        skips = dict(self.sums({node.output[0] for node in chosen}))
        if self.flavour.outputs:
            for node in chosen:
                self.read_behind(node)
        roots = list(dict.fromkeys(self.root(("", name)) for name in self.ranged))
        return Placement(
            self.flavour,
            tuple(self.convolution(node, skips.get(node.output[0], "")) for node in chosen),
            tuple(
                Reader(name, node.output[0], index, roots.index(self.root((network_of(node), name))))
                for name, node, index in self.readers
            ),
            tuple(tuple(name for name in self.ranged if self.root(("", name)) == root) for root in roots),
        )

    def read(self, node: NodeProto, index: int) -> None:
        """Let the node read this input quantised, with one range for all that do so."""
        name = node.input[index]
        self.add_reader(node, index)
        self.unite(("", name), (network_of(node), name))
        if name not in self.ranged:
            self.ranged.append(name)

    def add_reader(self, node: NodeProto, index: int) -> None:
        """An operator that only moved the values here reads them on the same grid."""
        name = node.input[index]
        self.readers.append((name, node, index))
        writer = self.graph.writer.get(name)
        if writer is None or name in self.passed or not self.passes(writer, node):
            return
        self.passed.add(name)
        for position, source in enumerate(writer.input):
            self.unite((network_of(node), name), (network_of(writer), source))
            self.add_reader(writer, position)

    def read_behind(self, convolution: NodeProto) -> None:
        """Let everything in its network that reads its output, rectified where it is, read that quantised."""
        name = convolution.output[0]
        readers = self.graph.readers[name]
        if [node.op_type for node in readers] == ["Relu"]:
            name = readers[0].output[0]
            if any(tensor == readers[0].input[0] for tensor, _, _ in self.readers):
                return  # there is a pair before the ReLU
        quantised = {(tensor, node.output[0]) for tensor, node, _ in self.readers}
        for node in self.graph.readers[name]:
            if network_of(node) == network_of(convolution) and (name, node.output[0]) not in quantised:
                self.read(node, list(node.input).index(name))

    def passes(self, writer: NodeProto, reader: NodeProto) -> bool:
        """Whether there is a pair before the writer as well."""
        if network_of(writer) != network_of(reader):
            return False
        if writer.op_type == "Relu" and self.flavour.outputs:
            before = self.graph.writer.get(writer.input[0], writer)
            return reader.op_type in MOVES or before.op_type in MOVES
        return writer.op_type in MOVES

    def sums(self, chosen: set[str]) -> Iterator[tuple[str, str]]:
        """Quantises what sums read; yields convolution and skip branch."""
        for node in self.graph.nodes:
            convolutions = [name for name in node.input if name in chosen] if node.op_type == "Add" else []
            if not convolutions:
                continue
            convolution = convolutions[-1]
            index = list(node.input).index(convolution)
            branch = node.input[1 - index]
            if branch in chosen or any(branch == name for name, _, _ in self.readers):
                self.read(node, 1 - index)
                if self.flavour.outputs:
                    self.read(node, index)
                yield convolution, branch

    def convolution(self, node: NodeProto, skip: str) -> Convolution:
        name = node.output[0]
        summed = any(tensor == name and reader.op_type == "Add" for tensor, reader, _ in self.readers)
        output = name if summed and self.flavour.outputs else ""
        return Convolution(name, node.input[1], OUT_AXIS[node.op_type], node.input[0], skip, output)

    def root(self, key: tuple[str, str]) -> tuple[str, str]:
        while (parent := self.parent.setdefault(key, key)) != key:
            key = parent
        return key

    def unite(self, one: tuple[str, str], other: tuple[str, str]) -> None:
        self.parent[self.root(other)] = self.root(one)


def network_of(node: NodeProto) -> str:
    """The network and step that ``compose`` wrote the node for, such as denoiser1."""
    return node.name.partition("/")[0]
