"""How every figure looks: its colours and sizes, and the bytes of a finished one.

Colours come in pairs, for light and dark paper. A file shows the light ones; on the page each is a CSS variable, so one
drawing serves both.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from itertools import pairwise

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

COLUMN = 4.0  # inches: 384 pixels, little more than a phone is wide
PNG_DPI = 160
SIDES = ((7, 0, "left"), (6, -9, "left"), (-6, 9, "right"), (6, 9, "left"), (-6, -9, "right"), (-7, 0, "right"))
TEXT, SMALL = 9.0, 8.0  # points, as in SIDES: where a text may stand beside its point, and how it is aligned there

INK, GREY, GRID, PAPER = "#1f2328", "#6b7280", "#d5dae0", "#ffffff"
BLUE, ORANGE, GREEN, PURPLE, OCHRE = "#0a6fc2", "#b83200", "#008a6a", "#a03d94", "#a58600"
COLOURS = {  # name of the CSS variable: on light paper, on dark paper
    "ink": (INK, "#e6e9ed"),
    "grey": (GREY, "#b4bac2"),
    "grid": (GRID, "#3a4048"),
    "paper": (PAPER, "#14171b"),
    "blue": (BLUE, "#4aa8f0"),
    "orange": (ORANGE, "#f2793a"),
    "green": (GREEN, "#2fc79a"),
    "purple": (PURPLE, "#d884c8"),
    "ochre": (OCHRE, "#ead25a"),
}  # the hues lie as far apart as they can for protanopia, deuteranopia and tritanopia (Machado et al. 2009)
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, OCHRE, GREY)

SETTINGS = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "edge-sr",
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": TEXT,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.5,
}


@dataclass(frozen=True)
class Look:
    """Of one row, in every figure: the colour tells the family, dash and filling the member."""

    colour: str
    dash: str = "-"
    filled: bool = True


LOOKS = {  # last part of a row's key
    "bicubic": Look(GREY),
    "bicubic_projected": Look(GREY, "--", False),
    "regression": Look(GREEN),
    "regression_sharpened": Look(GREEN, "--", False),
    "model_1": Look(BLUE),
    "model_0.5": Look(PURPLE),
    "model_0": Look(ORANGE),
    "zeroed": Look(OCHRE, ":", False),
    "shuffled": Look(OCHRE, ":", False),
    "autoencoder": Look(INK, ":", False),
}


def look_of(row: str) -> Look:
    """row: a key such as "bicubic" or "BUNDLE/model_1"."""
    return LOOKS.get(row.rpartition("/")[2], Look(INK))


@contextmanager
def applied() -> Iterator[None]:
    """Draw and save inside it; what the user's matplotlibrc says does not count."""
    with matplotlib.style.context(["default", SETTINGS]):
        yield


def canvas(height: float, *, width: float = COLUMN) -> Figure:
    """An empty figure, inches."""
    figure = Figure(figsize=(width, height), facecolor=PAPER)
    FigureCanvasAgg(figure)
    return figure


def axes(
    figure: Figure,
    *,
    x: str,
    y: str = "",
    left: float = 0.55,
    right: float = 0.15,
    top: float = 0.35,
    bottom: float = 0.5,
) -> Axes:
    """Axes inside these margins, inches. x, y: what is along them; y is written above, where it is read upright."""
    width, height = figure.get_size_inches()
    rectangle = (left / width, bottom / height, 1 - (left + right) / width, 1 - (top + bottom) / height)
    ax = figure.add_axes(rectangle, facecolor="none", xlabel=x)
    figure.text(0.03 / width, 1 - 0.04 / height, y, va="top")
    return ax


def bare_axes(figure: Figure) -> Axes:
    """The whole figure as axes in inches, y downwards, without ticks: to draw boxes on."""
    width, height = figure.get_size_inches()
    whole = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    whole.set_axis_off()
    return whole


def fit(text: Text, inches: float) -> None:
    """Make a text smaller where it is wider than that."""
    width = text.get_window_extent().width / text.figure.dpi
    text.set_fontsize(float(text.get_fontsize()) * min(1.0, inches / width))


def end_labels(ax: Axes, labels: Sequence[tuple[float, str, str]], *, gap: float = 0.16) -> None:
    """Name lines at the right end of the axes. labels: (y in data, text, colour); gap: inches from one to the next."""
    ax.autoscale_view()  # otherwise matplotlib waits with it until it draws
    height = ax.figure.get_size_inches()[1] * ax.get_position().height  # type: ignore[union-attr]
    wanted = [ax.transAxes.inverted().transform(ax.transData.transform((1, y)))[1] for y, _, _ in labels]
    for place, (_, text, colour) in zip(apart(wanted, gap / height), labels, strict=True):
        ax.text(1.02, place, text, color=colour, transform=ax.transAxes, va="center", fontsize=SMALL)


def apart(wanted: Sequence[float], gap: float) -> list[float]:
    """Places near the wanted ones, in [0, 1] as far as they fit, no two closer than ``gap``."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    places = [min(max(wanted[i], 0.0), 1.0) for i in order]
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + gap)
    ceiling = max(1.0, (len(places) - 1) * gap)
    for i in reversed(range(len(places))):
        places[i] = min(places[i], ceiling)
        ceiling = places[i] - gap
    return [place for _, place in sorted(zip(order, places, strict=True))]


def label_points(
    ax: Axes, points: Sequence[tuple[float, float, str, str]], *, lines: Sequence[Sequence[tuple[float, float]]] = ()
) -> None:
    """Write (x, y, text, colour) beside its point, on the side where it covers least."""
    ax.autoscale_view()
    places = [*(point[:2] for point in points), *(place for line in lines for place in along(line))]
    marks = [tuple(ax.transData.transform(place)) for place in places]
    taken: list[Bbox] = []
    for point in points:
        notes = [_note(ax, point, side) for side in SIDES]
        boxes = [note.get_window_extent() for note in notes]
        chosen = min(range(len(SIDES)), key=lambda i: _covered(boxes[i], ax.bbox, taken, marks))
        taken.append(boxes[chosen])
        for note in notes[:chosen] + notes[chosen + 1 :]:
            note.remove()


def _covered(box: Bbox, inside: Bbox, taken: Sequence[Bbox], marks: Sequence[tuple[float, float]]) -> tuple[int, int]:
    """How bad a place for a text is: out of the axes or over another text, then over how many marks."""
    out = not (inside.x0 <= box.x0 and box.x1 <= inside.x1)
    return out + sum(box.overlaps(other) for other in taken), sum(box.contains(*mark) for mark in marks)


def along(line: Sequence[tuple[float, float]], count: int = 30) -> list[tuple[float, float]]:
    """Places on each piece of a line."""
    shares = [i / count for i in range(count + 1)]
    return [(a + (c - a) * t, b + (d - b) * t) for (a, b), (c, d) in pairwise(line) for t in shares]


def _note(ax: Axes, point: tuple[float, float, str, str], side: tuple[float, float, str]) -> Annotation:
    (x, y, text, colour), (dx, dy, ha) = point, side
    look = {"ha": ha, "va": "center", "color": colour, "fontsize": SMALL}
    return ax.annotate(text, (x, y), (dx, dy), textcoords="offset points", **look)  # type: ignore[arg-type]


def svg_of(figure: Figure) -> str:
    """The figure as an SVG file; its bytes depend on the drawing alone."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    lines = (line.rstrip() for line in file.getvalue().splitlines())
    return "\n".join(line for line in lines if line) + "\n"


def png_of(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=PNG_DPI, metadata={"Software": None})
    return file.getvalue()


def inline(svg: str, *, name: str, alt: str) -> str:
    """The SVG file as an element of an HTML page: its colours as variables, its ids behind ``name``."""
    prefix = re.sub(r"[^A-Za-z0-9_-]", "-", name)
    text = svg[svg.index("<svg") :]
    opening, body = text.split(">", 1)
    box = re.search(r'viewBox="0 0 ([\d.]+) [\d.]+"', opening)
    assert box is not None
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="', f'id="{prefix}-', body).replace("url(#", f"url(#{prefix}-")
    body = body.replace('xlink:href="#', f'href="#{prefix}-').replace("'DejaVu Sans'", "system-ui")
    for colour, (light, _) in COLOURS.items():
        body = body.replace(light, f"var(--{colour})")
    width_px = float(box[1]) * 96 / 72
    return f'<svg {box[0]} role="img" aria-label="{escape(alt)}" style="--width:{width_px:.0f}px">{body.rstrip()}'


def css_variables(*, dark: bool) -> str:
    return " ".join(f"--{name}: {pair[dark]};" for name, pair in COLOURS.items())
