"""The model overview and its denoiser, drawn from the bundle: its manifest and its ONNX files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import onnx
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from edge_sr.artifacts.bundle import Bundle, default_bundle
from edge_sr.bench.roofline.cost import Cost, cost_of, whole_cost
from edge_sr.tensors import TensorSpec
from host_training.figures.parts import Drawing, Part
from host_training.figures.results import Json
from host_training.figures.style import BLUE, COLUMN, GREEN, GREY, INK, ORANGE, PAPER, PURPLE, SMALL, bare_axes, canvas
from host_training.network import Levels, Stage, levels_of

ROLES = {"encoder": ("LR encoder", GREEN), "denoiser": ("Denoiser", BLUE), "decoder": ("Decoder", PURPLE)}
BOX, STEP = 0.56, 0.98  # inches: a box, and from one to the next
LINE = 0.17  # inches of a line of text
STAGE, INDENT, GAP = 1.3, 0.3, 0.25  # inches: width of a stage, by how much a level is narrower, space between levels


@dataclass(frozen=True)
class Network:
    """One network of a bundle. inputs: by name, see docs/bundle.md."""

    inputs: Mapping[str, TensorSpec]
    output: TensorSpec
    cost: Cost


def bundles_of(record: Json, folders: Iterable[Path]) -> dict[str, Bundle]:
    """Which of the folders holds which bundle of the record; the default bundle is looked at too.

    Networks are compared, by their hashes: a manifest changes when figures are written into it.
    """
    opened = [Bundle.open(folder) for folder in (*folders, default_bundle())]
    found: dict[str, Bundle] = {}
    for key, of_bundle in record["bundles"].items():
        for bundle in opened:
            networks = bundle.manifest.networks
            if {role: networks[role].sha256 for role in networks} == of_bundle.get("networks_sha256"):
                found.setdefault(key, bundle)
    return found


def overview(key: str, bundle: Bundle, of_bundle: Json) -> Drawing:
    """From LR to SR: what each network takes, gives and costs. of_bundle: its sampler and steps in the record."""
    networks = {role: _network(bundle, role) for role in ROLES}
    steps = int(of_bundle["steps"])
    boxes = [(title, colour, cost_text(networks[role].cost)) for role, (title, colour) in ROLES.items()]
    boxes[1] = (f"Denoiser, {_times(steps)}", BLUE, boxes[1][2] + (" each" if steps > 1 else ""))
    latents, lr = (networks["decoder"].inputs[name] for name in ("latents", "lr"))
    flows = [_tensor(tensor) for tensor in (lr, networks["encoder"].output, latents, networks["decoder"].output)]
    if bundle.manifest.input.degradation == "area":
        boxes.append(("Projection", ORANGE, "its 4×4 mean becomes LR; no parameters"))
        flows.append("SR, in [0, 1]")
    total = _in_all(networks, steps)
    noise = _tensor(latents).replace("latents", "noise")
    words = "; ".join(f"{title}: {text}" for title, _, text in boxes)
    alt = f"From LR to SR. {words}. Passed on: {', '.join(flows)}; into the denoiser also {noise}. {total}."
    return Drawing(f"model-{key}", f"{key}, {of_bundle['sampler']}", alt, _chain(boxes, flows, noise, total))


def _chain(boxes: Sequence[tuple[str, str, str]], flows: Sequence[str], noise: str, total: str) -> Figure:
    """Boxes (title, colour, text) from top to bottom, what flows into each and out of the last beside the arrows."""
    figure = canvas(1.15 + STEP * len(boxes))
    ax = bare_axes(figure)
    left, width, gap = 0.4, COLUMN - 1.25, STEP - BOX
    middle = left + width / 2
    tops = [gap + STEP * number for number in range(len(boxes))]
    for top, (title, colour, text) in zip(tops, boxes, strict=True):
        _box(ax, left, top, width, BOX, colour)
        ax.text(middle, top + 0.19, title, ha="center", va="center", color=colour, fontweight="bold")
        ax.text(middle, top + 0.4, text, ha="center", va="center", fontsize=SMALL)
    for top, flow in zip([*tops, tops[-1] + STEP], flows, strict=True):
        _arrow(ax, (middle, top - gap), (middle, top))
        ax.text(middle + 0.1, top - gap / 2, flow, va="center", fontsize=SMALL)
    centres = [top + BOX / 2 for top in tops]
    ax.plot([middle, 0.1, 0.1], [0.1, 0.1, centres[-1]], color=GREY, linewidth=0.9, linestyle="--")  # LR goes past them
    for centre in centres[2:]:
        _arrow(ax, (0.1, centre), (left, centre), dashed=True)
    _arrow(ax, (left + width + 0.25, centres[1]), (left + width, centres[1]))
    ax.text(left + width + 0.28, centres[1], noise.replace(" ", "\n"), va="center", fontsize=SMALL)
    ax.text(middle, tops[-1] + STEP + 0.15, total, ha="center", va="center", fontsize=SMALL)
    return figure


def denoiser(key: str, bundle: Bundle) -> Part:
    """Its levels as a U, with every convolution and the skip connections."""
    levels = levels_of(onnx.load(str(bundle.path("denoiser"))))
    if levels is None or not levels.is_u:
        return f"No drawing of the denoiser of {key}: its convolutions do not go down and up again level by level."
    network = bundle.manifest.networks["denoiser"]
    pictures = [tensor for tensor in network.inputs if len(tensor.shape) == 4]  # neither timestep nor fidelity
    inputs, output = " and\n".join(map(_tensor, pictures)), _tensor(network.outputs[0])
    words = "; ".join(f"{stage.side}×{stage.side}: {', '.join(stage.layers)}" for stage in levels.stages)
    alt = f"Levels of the denoiser, in order: {words}. {len(levels.skips)} skip connections."
    return Drawing(f"denoiser-{key}", f"{key}, denoiser", alt, _u(levels, inputs, output))


def _u(levels: Levels, inputs: str, output: str) -> Figure:
    """Left side down, right side up, the lowest level between them."""
    depth = len(levels.stages) // 2
    heights = [
        LINE * (1.6 + max(len(stage.layers) for stage in _of_level(levels, level))) for level in range(depth + 1)
    ]
    tops = [0.5 + sum(heights[:level]) + GAP * level for level in range(depth + 1)]
    width = max(COLUMN, 2 * (STAGE + INDENT * (depth - 1)) + 0.6)
    lefts = [INDENT * level + 0.05 for level in range(depth)]
    lefts = [*lefts, (width - STAGE) / 2, *(width - STAGE - left for left in reversed(lefts))]
    figure = canvas(tops[-1] + heights[-1] + 0.1, width=width)
    ax = bare_axes(figure)
    corners = []  # left, top and height of each stage
    for number, (left, stage) in enumerate(zip(lefts, levels.stages, strict=True)):
        level = min(number, 2 * depth - number)
        corners.append((left, tops[level], heights[level]))
        _stage(ax, *corners[-1], stage)
    for start, end in levels.skips:
        (left, top, height), (to, _, _) = corners[start], corners[end]
        _arrow(ax, (left + STAGE, top + height / 2), (to, top + height / 2), dashed=True)
    for number, ((left, top, height), (to, below, _)) in enumerate(pairwise(corners)):
        x = (max(left, to) + min(left, to) + STAGE) / 2  # where both boxes are
        down = number < depth
        _arrow(ax, (x, top + height if down else top), (x, below if down else below + corners[number + 1][2]))
    ax.text(lefts[0], 0.44, inputs, va="bottom", fontsize=SMALL)
    ax.text(width - 0.05, 0.44, output, ha="right", va="bottom", fontsize=SMALL)
    return figure


def _of_level(levels: Levels, level: int) -> tuple[Stage, Stage]:
    return levels.stages[level], levels.stages[-1 - level]


def _stage(ax: Axes, left: float, top: float, height: float, stage: Stage) -> None:
    _box(ax, left, top, STAGE, height, BLUE)
    ax.text(left + 0.08, top + LINE * 0.8, f"{stage.side}×{stage.side}", va="center", color=BLUE, fontweight="bold")
    for number, layer in enumerate(stage.layers):
        ax.text(left + 0.08, top + LINE * (number + 1.8), layer, va="center", fontsize=SMALL)


def _network(bundle: Bundle, role: str) -> Network:
    listed = bundle.manifest.networks[role]
    return Network(
        {tensor.name: tensor for tensor in listed.inputs}, listed.outputs[0], cost_of(onnx.load(str(bundle.path(role))))
    )


def cost_text(cost: Cost) -> str:
    return f"{cost.parameters / 1e6:.3f} M parameters, {_macs(cost.macs)}"


def _macs(macs: int | None) -> str:
    return "multiply-accumulates not known" if macs is None else f"{macs / 1e9:.3f} GMAC"


def _in_all(networks: Mapping[str, Network], steps: int) -> str:
    """One picture through the chain."""
    costs = {role: network.cost for role, network in networks.items()}
    return f"In all: {cost_text(whole_cost(costs, steps))}"


def _times(steps: int) -> str:
    return "once" if steps == 1 else f"{steps} times"


def _tensor(spec: TensorSpec) -> str:
    """Such as "latents 4×32×32", for one picture."""
    return f"{spec.name} {'×'.join(str(size) for size in spec.shape[1:])}"


def _box(ax: Axes, left: float, top: float, width: float, height: float, colour: str) -> None:
    style = "round,pad=0,rounding_size=0.06"
    ax.add_patch(FancyBboxPatch((left, top), width, height, style, facecolor=PAPER, edgecolor=colour, linewidth=1.2))


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], *, dashed: bool = False) -> None:
    arrow = FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=8, shrinkA=0, shrinkB=0, linewidth=0.9)
    arrow.set(color=GREY if dashed else INK, linestyle="--" if dashed else "-")
    ax.add_patch(arrow)
