"""Measured against the predicted floor, by kind of node."""

from __future__ import annotations

from collections.abc import Sequence

from edge_sr.bench.report.charts.axis import END, LEFT, RIGHT, SECOND, SERIES, WIDTH, clipped, columns, from_zero
from edge_sr.bench.report.numbers import significant
from edge_sr.svg import inline, legend, rect, text

ROW, HEAD = 38, 18
MOST = 8  # kinds; the table has them all


def gaps(kinds: Sequence[tuple[str, float, float]], *, name: str, title: str) -> str:
    """kinds: (kind, floor, measured) in ms."""
    drawn = kinds[:MOST]
    axis = from_zero([value for _, floor, measured in drawn for value in (floor, measured)], LEFT, RIGHT)
    bottom = HEAD + ROW * len(drawn)
    parts = [*legend((("floor, predicted", SECOND), ("measured", SERIES)), y=2), *columns(axis, HEAD, bottom)]
    for n, (kind, floor, measured) in enumerate(drawn):
        y = HEAD + ROW * n
        parts.append(text(LEFT, y + 14, clipped(kind)))
        parts.append(text(RIGHT, y + 14, f"{significant(floor)} | {significant(measured)}", END))
        for value, below, colour in ((floor, 18, SECOND), (measured, 26, SERIES)):
            parts.append(rect(LEFT, y + below, max(axis.at(value) - LEFT, 0.6), 7, colour))
    parts.append(text(RIGHT, bottom + 26, "ms, all nodes of the kind", END))
    said = "; ".join(f"{kind}: floor {significant(f)} ms, measured {significant(m)} ms" for kind, f, m in drawn)
    return inline(WIDTH, bottom + 32, parts, name=name, title=title, description=said)
