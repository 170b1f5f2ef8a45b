"""What a graph has to do: operations and bytes of each launch, in the types that a precision gives its tensors."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_sr.bench.roofline.count import ALIASES, MOVES, NETWORKS, POOLS, REDUCTIONS, operations_of, weight_of
from edge_sr.bench.roofline.shapes import Tensor, Tensors, tensors_of
from edge_sr.errors import UsageError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

PRECISIONS = ("fp32", "fp16", "int8")
BITS = {"fp32": 32, "fp16": 16, "int8": 8}
PROJECTION = "projection"
# ``compose`` names the nodes of a network network/node, those of the n-th step denoisern/node, and its own node_n.
_STAGE = re.compile(r"(encoder|denoiser|decoder|generator)\d*/")


@dataclass(frozen=True)
class Work:
    """One launch: a node, with those that are fused into it. name, kind: of the first; kind is its operator.

    nodes: names of all. precision: what it multiplies or adds in. bytes: what it reads, weights among it, and writes.
    """

    name: str
    kind: str
    stage: str
    precision: str
    operations: int
    bytes: int
    nodes: tuple[str, ...]


def work_of(model: ModelProto, *, precision: str = "fp32", ends: str = "fp16", fused: bool = False) -> list[Work]:
    """Every launch in the order of the graph.

    precision: of what ``_types`` gives one to; a graph of 8-bit operators or FP16 tensors is taken as it is written.
    ends: of the first and last convolutions where that is int8.
    fused: as a compiler for GPUs would, at its best: additions, activations and the like go with what they follow, and
    what is concatenated is written where it belongs. Without, each node is a launch.
    UsageError where the shape of a tensor is left open.
    """
    if precision not in PRECISIONS:
        raise UsageError(f"no such precision: {precision}", expected=", ".join(PRECISIONS))
    graph = _Graph(model, precision=precision, ends=ends if precision == "int8" else precision)
    return [graph.work(group) for group in _groups(graph.nodes, fused=fused)]


def is_typed(model: ModelProto) -> bool:
    """Whether the graph itself says what is computed in fewer than 32 bits."""
    quantised = any("Q" in node.op_type and "Linear" in node.op_type for node in model.graph.node)
    quantised |= any(node.op_type.endswith("Integer") for node in model.graph.node)
    half = 10  # onnx.TensorProto.FLOAT16
    return quantised or any(tensor.data_type == half for tensor in model.graph.initializer)


def _named(node: NodeProto) -> list[str]:
    return [name for name in (*node.input, *node.output) if name]


def _written(node: NodeProto, tensors: Tensors) -> str:
    """By what it multiplies, or else by the narrowest of what it reads."""
    looked_at = [tensors[weight_of(node)]] if node.op_type in NETWORKS else [tensors[name] for name in _named(node)]
    widths = [tensor.bits for tensor in looked_at if tensor.kind in "fiu" and tensor.bits < 64]
    return {8: "int8", 4: "int8", 16: "fp16"}.get(min(widths, default=32), "fp32")


def _types(nodes: Sequence[NodeProto], precision: str, ends: str) -> list[str]:
    """What each node of a float32 graph is computed in, by the rules that the build casts and quantises by.

    float32 stays what stands before the first convolution, what leads to the picture behind the last one (skip, sum,
    projection, clip), and the sampler's arithmetic between the networks.
    """
    behind, before = _behind(nodes), _before(nodes)
    composed = any(map(_stage, nodes))
    types = []
    for node in nodes:
        if composed and not _stage(node):
            types.append("fp32")
            continue
        fed = any(name in behind for name in node.input)
        leads = any(name in before for name in node.output)
        inner = fed and leads
        if precision == "fp32" or not (inner or (node.op_type in NETWORKS and (fed or leads))):
            types.append("fp32")
        else:
            types.append(precision if inner else ends)
    return types


def _behind(nodes: Sequence[NodeProto]) -> set[str]:
    """Tensors with a convolution before them."""
    found: set[str] = set()
    for node in nodes:
        if node.op_type in NETWORKS or any(name in found for name in node.input):
            found.update(node.output)
    return found


def _before(nodes: Sequence[NodeProto]) -> set[str]:
    """Tensors with a convolution behind them."""
    found: set[str] = set()
    for node in reversed(nodes):
        if node.op_type in NETWORKS or any(name in found for name in node.output):
            found.update(node.input)
    return found


def _bits(nodes: Sequence[NodeProto], tensors: Tensors, types: Sequence[str], fixed: set[str]) -> dict[str, int]:
    """Of an element of each tensor: the least that its writer or a reader needs, since a conversion is fused.

    fixed: those that stay as they are, such as inputs and outputs.
    """
    bits = {name: tensor.bits for name, tensor in tensors.items()}
    for node, precision in zip(nodes, types, strict=True):
        for name in _named(node):
            if name not in fixed and tensors[name].kind == "f":
                bits[name] = min(bits[name], BITS[precision])
    return bits


def _stages(nodes: Sequence[NodeProto], graph: str) -> list[str]:
    """By the prefix of a node or of what it writes; else what it leads to; else the projection, which comes last.

    A network that stands alone and knows no prefixes is one stage, called as the graph is.
    """
    stages = [_stage(node) for node in nodes]
    if not any(stages):
        return [graph or "network"] * len(nodes)
    leads_to: dict[str, str] = {}
    for index in reversed(range(len(nodes))):
        node = nodes[index]
        stages[index] = stages[index] or next((leads_to[n] for n in node.output if n in leads_to), PROJECTION)
        leads_to.update(dict.fromkeys(node.input, stages[index]))
    return stages


def _stage(node: NodeProto) -> str:
    found = next(filter(None, map(_STAGE.match, (node.name, *node.output))), None)
    return found.group(1) if found else ""


def _groups(nodes: Sequence[NodeProto], *, fused: bool) -> list[list[int]]:
    """Indices of the nodes that one launch computes; the first of a group stands for it."""
    if not fused:
        return [[index] for index in range(len(nodes))]
    readers = Counter(name for node in nodes for name in dict.fromkeys(node.input))
    groups: list[list[int]] = []
    home: dict[str, list[int] | None] = {}  # of a tensor: the group that wrote it, None for what is free
    for index, node in enumerate(nodes):
        group: list[int] | None
        if node.op_type in (*ALIASES, "Concat"):
            group = None
        else:
            group = _joined(node, nodes, home, readers)
            if group is None:
                group = []
                groups.append(group)
            group.append(index)
        home.update(dict.fromkeys(node.output, group))
    return groups


def _joined(
    node: NodeProto, nodes: Sequence[NodeProto], home: dict[str, list[int] | None], readers: Counter[str]
) -> list[int] | None:
    """The group of what it reads last, where it works element by element and is the only reader."""
    if node.op_type in (*NETWORKS, *MOVES, *POOLS, *REDUCTIONS):
        return None
    written = [(group[-1], name, group) for name in node.input if (group := home.get(name)) is not None]
    if not written:
        return None
    _, name, group = max(written, key=lambda each: each[0])
    opens = nodes[group[0]].op_type not in (*MOVES, *POOLS, *REDUCTIONS)
    return group if opens and readers[name] == 1 else None


class _Graph:
    """Nodes and tensors, and what each of them is counted as."""

    def __init__(self, model: ModelProto, *, precision: str, ends: str) -> None:
        self.nodes = list(model.graph.node)
        self.tensors = tensors_of(model)
        if unknown := next((n for node in self.nodes for n in _named(node) if n not in self.tensors), None):
            raise UsageError("the shape of this tensor is not known", where=unknown, expected="fixed sides")
        self.shapes = {name: tensor.shape for name, tensor in self.tensors.items()}
        self.constants = {tensor.name for tensor in model.graph.initializer}
        self.stages = _stages(self.nodes, model.graph.name)
        self.readers: dict[str, set[int]] = defaultdict(set)
        for index, node in enumerate(self.nodes):
            for name in node.input:
                self.readers[name].add(index)
        self.typed = is_typed(model)
        ports = {port.name for port in (*model.graph.input, *model.graph.output)}
        if self.typed:
            self.types = [_written(node, self.tensors) for node in self.nodes]
            self.bits = {name: tensor.bits for name, tensor in self.tensors.items()}
        else:
            self.types = _types(self.nodes, precision, ends)
            self.bits = _bits(self.nodes, self.tensors, self.types, ports | self.constants)

    def work(self, group: Sequence[int]) -> Work:
        members = [self.nodes[index] for index in group]
        first, precision = members[0], self.types[group[0]]
        inside = {name for node in members for name in node.output}
        read = {name for node in members for name in node.input if name and name not in inside}
        kept = {name for name in inside if name and self.readers[name] - set(group)} | set(members[-1].output)
        moved = set() if first.op_type in ALIASES else read | kept
        return Work(
            name=first.name or first.output[0],
            kind=first.op_type,
            stage=self.stages[group[0]],
            precision=precision,
            operations=sum(operations_of(node, self.shapes) for node in members),
            bytes=sum(self.bytes(name, precision) for name in moved if name),
            nodes=tuple(node.name or node.output[0] for node in members),
        )

    def bytes(self, name: str, precision: str) -> int:
        """As a launch of this precision reads or writes it; constants there are in every precision they are read in."""
        tensor = self.tensors[name]
        bits = self.bits[name]
        if name in self.constants and tensor.kind == "f" and not self.typed:
            bits = min(bits, BITS[precision])
        return Tensor(tensor.shape, bits).bytes
