"""The mean shift of each tenth of the grey levels: does a variant darken what is dark?"""

from __future__ import annotations

from collections.abc import Sequence

from edge_sr.bench.report.charts.axis import BAD, END, INK, MIDDLE, SERIES, SMALL, WIDTH, Axis, rows
from edge_sr.bench.report.numbers import fixed
from edge_sr.svg import inline, line, rect, text

LEFT, RIGHT, TOP, BOTTOM, HEIGHT = 44, 334, 22, 112, 142
LEAST_SPAN = 0.05  # grey levels; a shift of nothing is not blown up to the height of the chart
GATE = 0.25  # grey levels: the most that the build lets a whole picture shift


def tenths(shifts: Sequence[float | None], *, name: str, title: str) -> str:
    """shifts: in grey levels of 255, the darkest tenth first."""
    known = [each for each in shifts if each is not None]
    span = 1.15 * max([abs(each) for each in known] + [LEAST_SPAN])
    axis = Axis(-span, span, BOTTOM, TOP)
    width = (RIGHT - LEFT) / max(len(shifts), 1)
    parts = [text(2, 11, "grey levels, above 0 is brighter", SMALL), *rows(axis, LEFT, RIGHT)]
    for n, shift in enumerate(shifts):
        x = LEFT + n * width
        parts.append(text(x + width / 2, BOTTOM + 12, str(n + 1), MIDDLE))
        if shift is not None:
            top, height = min(axis.at(shift), axis.at(0)), abs(axis.at(shift) - axis.at(0))
            colour = BAD if abs(shift) > GATE else SERIES
            tip = f"tenth {n + 1}: {fixed(shift, 3, sign=True)}"
            parts.append(rect(round(x + 2, 2), top, round(width - 4, 2), round(max(height, 0.8), 2), colour, tip=tip))
    parts += [
        line(LEFT, axis.at(0), RIGHT, axis.at(0), INK),
        text(LEFT, BOTTOM + 26, "tenths, 1 is the darkest", SMALL),
    ]
    if any(abs(each) > GATE for each in known):
        parts.append(text(RIGHT, BOTTOM + 26, f"red: beyond {GATE:g}", END))
    said = ", ".join(f"{n}: {fixed(each, 3, sign=True)}" for n, each in enumerate(shifts, 1))
    return inline(WIDTH, HEIGHT, parts, name=name, title=title, description=f"Mean shift by tenth. {said}.")
