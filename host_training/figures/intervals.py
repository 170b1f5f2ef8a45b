"""The plot that most figures are: one row a line, a dot at its mean, a bar over its interval, the figures beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from host_training.evaluation.tables import interval_text
from host_training.figures.results import Json
from host_training.figures.style import COLUMN, GREY, PAPER, SMALL, Look, axes, canvas, fit

ROW, MARGIN = 0.42, 0.75  # inches: a row; axis, ticks and title together
VALUES = 1.9  # inches for the figures at the right
CLEAR = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.6}  # no line runs through a name
DRIFT = 0.07  # rows; equal points beside each other stay apart


@dataclass(frozen=True)
class Line:
    """points: the single pictures', as far as they are known; shown as specks under the bar."""

    label: str
    interval: Json
    look: Look
    points: Sequence[float] = ()


def told(lines: Sequence[Line], decimals: int, *, signed: bool = False) -> str:
    """The plot in words."""
    return "; ".join(f"{line.label} {interval_text(line.interval, decimals, signed=signed)}" for line in lines)


def intervals(
    lines: Sequence[Line], *, axis: str, decimals: int, reference: float | None, signed: bool = False
) -> Figure:
    """axis: what is along it. reference: where a dashed line stands."""
    figure = canvas(MARGIN + ROW * len(lines))
    ax = axes(figure, x=axis, left=0.12, right=VALUES, top=0.1)
    ax.set_ylim(len(lines) - 0.35, -0.75)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")
    ax.locator_params(axis="x", nbins=4)
    if reference is not None:
        ax.axvline(reference, color=GREY, linestyle="--", linewidth=0.9)
    ax.xaxis.label.set(horizontalalignment="left", x=0)
    across = ax.get_yaxis_transform()
    for y, line in enumerate(lines):
        found, look = line.interval, line.look
        drift = DRIFT * (np.arange(len(line.points)) % 3 - 1)
        ax.plot(sorted(line.points), y + drift, "o", color=look.colour, alpha=0.35, markersize=3.5, markeredgewidth=0)
        ax.plot([found["low"], found["high"]], [y, y], color=look.colour, linewidth=2.2, solid_capstyle="butt")
        face = look.colour if look.filled else PAPER
        ax.plot([found["mean"]], [y], "o", color=look.colour, markerfacecolor=face, markersize=5.5)
        fit(ax.text(0, y - 0.22, line.label, transform=across, va="bottom", bbox=CLEAR), COLUMN - 0.2)
        value = interval_text(found, decimals, signed=signed)
        ax.text(1.04, y, value, transform=across, va="center", fontsize=SMALL)
    return figure
