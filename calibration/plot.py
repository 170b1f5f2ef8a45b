"""Ranges over steps as an SVG: one panel a layer, one bar a step.

Written by hand, so that a device can draw it too: lines, bars and labels need no plotting package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape

from calibration.steps import by_layer, layer_of
from calibration.table import CalibrationTable, TensorRanges

PLOT_HEIGHT, BAR, GAP = 90, 16, 10  # px
LEFT, TOP, BOTTOM = 56, 24, 22  # of a panel, around the bars: room for numbers, its title, the step
PANEL_WIDTH_LEAST = 190  # for the title
PAGE_WIDTH = 1000
HEAD = 58  # px above the panels
GREY, BLUE, ORANGE = "#8a8f98", "#3b73b9", "#d9822b"


def ranges_over_steps(table: CalibrationTable) -> str:
    """The SVG document."""
    layers = by_layer(table.tensors)
    longest = max(map(len, layers.values()))
    width = max(PANEL_WIDTH_LEAST, LEFT + longest * (BAR + GAP) + 2 * GAP)
    height = TOP + PLOT_HEIGHT + BOTTOM
    columns = max(1, PAGE_WIDTH // width)
    rows = -(-len(layers) // columns)
    panels = [
        _at(n % columns * width, HEAD + n // columns * height, _panel(table, layer, names))
        for n, (layer, names) in enumerate(layers.items())
    ]
    page = f'width="{columns * width}" height="{HEAD + rows * height}"'
    style = 'font-family="sans-serif" font-size="10" fill="#222"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {page} {style}>',
        '<rect width="100%" height="100%" fill="#fff"/>',
        *_heading(table),
        *panels,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _at(x: int, y: int, content: str) -> str:
    return f'<g transform="translate({x},{y})">{content}</g>'


def _heading(table: CalibrationTable) -> Iterator[str]:
    origin = table.origin
    steps = f"{origin.steps} step" + ("s" if origin.steps > 1 else "")
    title = f"{origin.model}, {origin.sampler}, {steps}: activation ranges on {origin.images} pictures"
    yield _text(10, 20, title, 'font-size="14"')
    legend = (("observed", GREY), ("asymmetric grid", BLUE), ("symmetric grid", ORANGE))
    for n, (label, colour) in enumerate(legend):
        yield f'<rect x="{10 + 130 * n}" y="34" width="10" height="10" fill="{colour}"/>'
        yield _text(25 + 130 * n, 43, label)
    yield _text(25 + 130 * len(legend), 43, "numbers below the bars: the sampler's step")


def _panel(table: CalibrationTable, layer: str, names: list[str]) -> str:
    tensors = {name: table.tensors[name] for name in names}
    low = min(0.0, *(each.minimum for each in tensors.values()), *(each.symmetric.low for each in tensors.values()))
    high = max(0.0, *(each.maximum for each in tensors.values()), *(each.symmetric.high for each in tensors.values()))
    span = high - low or 1.0

    def y(value: float) -> float:
        return round(TOP + PLOT_HEIGHT * (high - value) / span, 2)

    right = LEFT + len(names) * (BAR + GAP) + GAP
    parts = [_text(4, 14, layer, 'font-weight="bold"')]
    for value in dict.fromkeys((low, 0.0, high)):
        parts.append(f'<line x1="{LEFT}" x2="{right}" y1="{y(value)}" y2="{y(value)}" stroke="#ddd"/>')
        parts.append(_text(LEFT - 4, y(value) + 3, f"{value:.3g}", 'text-anchor="end"'))
    for column, (name, each) in enumerate(tensors.items()):
        x = LEFT + GAP + column * (BAR + GAP)
        parts += _bars(each, x, y)
        step = str(layer_of(name)[1]) if layer_of(name)[0] != name else ""
        parts.append(_text(x + BAR / 2, TOP + PLOT_HEIGHT + 14, step, 'text-anchor="middle"'))
    return "".join(parts)


def _bars(each: TensorRanges, x: float, y: Callable[[float], float]) -> Iterator[str]:
    """What was observed as a line, with the ranges of the two grids on either side of it."""
    half = BAR / 2
    yield _bar(x, half - 1, y(each.asymmetric.high), y(each.asymmetric.low), BLUE)
    yield _bar(x + half + 1, half - 1, y(each.symmetric.high), y(each.symmetric.low), ORANGE)
    yield _bar(x + half - 1, 2, y(each.maximum), y(each.minimum), GREY)


def _bar(x: float, width: float, top: float, bottom: float, colour: str) -> str:
    height = max(bottom - top, 0.5)  # a range of nothing still shows
    return f'<rect x="{x:g}" y="{top:g}" width="{width:g}" height="{height:g}" fill="{colour}"/>'


def _text(x: float, y: float, text: str, attributes: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" {attributes}>{escape(text)}</text>'
