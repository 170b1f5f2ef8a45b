"""Finding one's way in a graph with Q/DQ pairs: which convolutions are INT8, and on which grids."""

from __future__ import annotations

from collections import defaultdict

from onnx import ModelProto, NodeProto

from build_engines.quantize import OUT_AXIS

PAIR = ("QuantizeLinear", "DequantizeLinear")
BEHIND = ("Relu", "Add", "Concat", "MaxPool", "DepthToSpace", "QuantizeLinear")  # on the way from an output to its grid
BEHIND_PAIR = {"QuantizeLinear": ("DequantizeLinear",), "DequantizeLinear": ("Add",)}  # and further, where it is summed


class Pairs:
    """Finds its way in a graph with Q/DQ pairs."""

    def __init__(self, quantised: ModelProto) -> None:
        self.nodes = quantised.graph.node
        self.writer = {name: node for node in self.nodes for name in node.output}
        self.readers: dict[str, list[NodeProto]] = defaultdict(list)
        for node in self.nodes:
            for name in node.input:
                self.readers[name].append(node)

    def convolutions(self) -> list[NodeProto]:
        """Those that are INT8."""
        return [
            n for n in self.nodes if n.op_type in OUT_AXIS and self.is_pair(n.input[0]) and self.is_pair(n.input[1])
        ]

    def is_pair(self, name: str) -> bool:
        return name in self.writer and self.writer[name].op_type == "DequantizeLinear"

    def source(self, name: str) -> str:
        """What a tensor is seen through a pair."""
        while name in self.writer and self.writer[name].op_type in PAIR:
            name = self.writer[name].input[0]
        return name

    def sum_of(self, name: str) -> NodeProto | None:
        """The Add that reads the convolution beside a quantised branch."""
        for node in self.nodes:
            sources = [self.source(each) for each in node.input] if node.op_type == "Add" else []
            if name in sources and any(
                self.is_pair(each) for each, source in zip(node.input, sources, strict=True) if source != name
            ):
                return node
        return None

    def grids_read(self, node: NodeProto) -> set[str]:
        """By the names of their scales; those of the weights are a convolution's own."""
        activations = node.input[:1] if node.op_type in OUT_AXIS else node.input
        return {self.writer[name].input[1] for name in activations if self.is_pair(name)}

    def grids_behind(self, name: str) -> set[str]:
        """The first ones that a tensor comes to, rectified, moved or summed on the way."""
        grids: set[str] = set()
        after = self.writer[name].op_type
        for node in self.readers[name]:
            if node.op_type in BEHIND_PAIR.get(after, BEHIND):
                grids |= {node.input[1]} if node.op_type == "QuantizeLinear" else set()
                grids |= self.grids_behind(node.output[0])
        return grids


def sharing(quantised: ModelProto) -> dict[str, frozenset[str]]:
    """Quantised convolution -> the others that read or write one of the grids it reads.

    A grid stays where it is as long as one of them is INT8, so only without all of them does a wrong range go.
    """
    graph = Pairs(quantised)
    read: dict[str, set[str]] = {}
    holders: dict[str, set[str]] = defaultdict(set)
    for node in graph.convolutions():
        name = node.output[0]
        total = graph.sum_of(name)
        read[name] = graph.grids_read(node) | (graph.grids_read(total) if total else set())
        for grid in read[name] | graph.grids_behind(name):
            holders[grid].add(name)
    return {name: frozenset().union(*(holders[grid] for grid in grids)) - {name} for name, grids in read.items()}
