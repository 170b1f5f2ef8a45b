"""What an ONNX file says of its network: the levels of a U-shaped one."""

from __future__ import annotations

from dataclasses import dataclass

from onnx import ModelProto, NodeProto

from edge_sr.bench.roofline.count import CONVOLUTIONS, Shapes
from edge_sr.bench.roofline.shapes import shapes_of


@dataclass(frozen=True)
class Stage:
    """Convolutions that follow each other at one resolution. side: pixels. layers: one line of text each."""

    side: int
    layers: tuple[str, ...]


@dataclass(frozen=True)
class Levels:
    """The stages in the order of the computation. skips: (from, to), numbers of stages that are not neighbours."""

    stages: tuple[Stage, ...]
    skips: tuple[tuple[int, int], ...]

    @property
    def is_u(self) -> bool:
        """Down to the smallest resolution and up again, one stage a level on each side."""
        sides = [stage.side for stage in self.stages]
        return (
            len(sides) > 1 and sides == sides[::-1] and sides[: len(sides) // 2 + 1] == sorted(set(sides), reverse=True)
        )


def levels_of(model: ModelProto) -> Levels | None:
    """Which convolutions run at which resolution, and what jumps over them; None where a size is left open.

    A value stems from a stage if no other convolution lies between. A convolution that takes one from a stage further
    back than the last has a skip connection to there.
    """
    shapes = shapes_of(model)
    stages: list[tuple[int, list[str]]] = []
    origins: dict[str, set[int]] = {}
    skips: dict[tuple[int, int], None] = {}
    for node in model.graph.node:
        stems = set().union(*(origins.get(name, set()) for name in node.input))
        if node.op_type not in CONVOLUTIONS and node.op_type != "Softmax":
            origins.update(dict.fromkeys(node.output, stems))
            continue
        if node.op_type == "Softmax":
            stages[max(stems)][1].append("attention")
            continue
        if node.output[0] not in shapes or node.input[1] not in shapes:
            return None
        side = shapes[node.output[0]][-1]
        if not stages or stages[-1][0] != side:
            stages.append((side, []))
        here = len(stages) - 1
        stages[here][1].append(_layer(node, shapes))
        skips.update(dict.fromkeys((stem, here) for stem in sorted(stems) if stem < here - 1))
        origins.update((name, {here}) for name in node.output)
    return Levels(tuple(Stage(side, tuple(layers)) for side, layers in stages), tuple(skips))


def _layer(node: NodeProto, shapes: Shapes) -> str:
    """Such as "3×3, 64 to 96"."""
    out, into, *kernel = shapes[node.input[1]]
    if node.op_type == "ConvTranspose":  # ONNX, operator ConvTranspose: (C, M / group, kH, kW)
        out, into = into, out
    groups = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
    arrow = "up " if node.op_type == "ConvTranspose" else ""
    return f"{arrow}{'×'.join(map(str, kernel))}, {into * groups} to {out}"
