"""Ranges over steps as an SVG: one panel a layer, one bar a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from calibration.steps import by_layer, layer_of
from calibration.table import CalibrationTable, TensorRanges
from edge_sr.svg import BLUE, GREY, ORANGE, at, document, legend, line, rect, text

PLOT_HEIGHT, BAR, GAP = 90, 16, 10  # px
LEFT, TOP, BOTTOM = 56, 24, 22  # of a panel, around the bars: room for numbers, its title, the step
PANEL_WIDTH_LEAST = 190  # for the title
PAGE_WIDTH = 1000
HEAD = 58  # px above the panels


def ranges_over_steps(table: CalibrationTable) -> str:
    """The SVG document."""
    layers = by_layer(table.tensors)
    longest = max(map(len, layers.values()))
    width = max(PANEL_WIDTH_LEAST, LEFT + longest * (BAR + GAP) + 2 * GAP)
    height = TOP + PLOT_HEIGHT + BOTTOM
    columns = max(1, PAGE_WIDTH // width)
    rows = -(-len(layers) // columns)
    panels = [
        at(n % columns * width, HEAD + n // columns * height, _panel(table, layer, names))
        for n, (layer, names) in enumerate(layers.items())
    ]
    return document(columns * width, HEAD + rows * height, [*_heading(table), *panels])


def _heading(table: CalibrationTable) -> Iterator[str]:
    origin = table.origin
    steps = f"{origin.steps} step" + ("s" if origin.steps > 1 else "")
    title = f"{origin.model}, {origin.sampler}, {steps}: activation ranges on {origin.images} pictures"
    yield text(10, 20, title, 'font-size="14"')
    entries = (("observed", GREY), ("asymmetric grid", BLUE), ("symmetric grid", ORANGE))
    yield from legend(entries, y=34)
    yield text(25 + 130 * len(entries), 43, "numbers below the bars: the sampler's step")


def _panel(table: CalibrationTable, layer: str, names: list[str]) -> str:
    tensors = {name: table.tensors[name] for name in names}
    low = min(0.0, *(each.minimum for each in tensors.values()), *(each.symmetric.low for each in tensors.values()))
    high = max(0.0, *(each.maximum for each in tensors.values()), *(each.symmetric.high for each in tensors.values()))
    span = high - low or 1.0

    def y(value: float) -> float:
        return round(TOP + PLOT_HEIGHT * (high - value) / span, 2)

    right = LEFT + len(names) * (BAR + GAP) + GAP
    parts = [text(4, 14, layer, 'font-weight="bold"')]
    for value in dict.fromkeys((low, 0.0, high)):
        parts.append(line(LEFT, y(value), right, y(value)))
        parts.append(text(LEFT - 4, y(value) + 3, f"{value:.3g}", 'text-anchor="end"'))
    for column, (name, each) in enumerate(tensors.items()):
        x = LEFT + GAP + column * (BAR + GAP)
        parts += _bars(each, x, y)
        step = str(layer_of(name)[1]) if layer_of(name)[0] != name else ""
        parts.append(text(x + BAR / 2, TOP + PLOT_HEIGHT + 14, step, 'text-anchor="middle"'))
    return "".join(parts)


def _bars(each: TensorRanges, x: float, y: Callable[[float], float]) -> Iterator[str]:
    """What was observed as a line, with the ranges of the two grids on either side of it."""
    half = BAR / 2
    yield _bar(x, half - 1, y(each.asymmetric.high), y(each.asymmetric.low), BLUE)
    yield _bar(x + half + 1, half - 1, y(each.symmetric.high), y(each.symmetric.low), ORANGE)
    yield _bar(x + half - 1, 2, y(each.maximum), y(each.minimum), GREY)


def _bar(x: float, width: float, top: float, bottom: float, colour: str) -> str:
    height = max(bottom - top, 0.5)  # a range of nothing still shows
    return rect(x, top, width, height, colour)
