"""Pictures a second by batch: what a fuller call brings."""

from __future__ import annotations

from collections.abc import Sequence

from edge_sr.bench.report.charts.axis import LEFT, RIGHT, SECOND, SERIES, SMALL, WIDTH, clipped, of_times
from edge_sr.bench.report.numbers import significant
from edge_sr.bench.schema import Throughput
from edge_sr.svg import inline, rect, text

BAR, HEAD = 16, 22
NAMES = 66  # units for the names of the bars


def by_batch(rows: Sequence[tuple[str, Sequence[Throughput], float | None]], *, name: str, title: str) -> str:
    """rows: label, its batches, and pictures a second when streamed."""
    bars = [_bars(*row) for row in rows]
    axis = of_times([value for _, each in bars for _, value, _ in each], LEFT + NAMES, RIGHT - 44)
    parts, y = [], 0
    for label, each in bars:
        parts.append(text(LEFT, y + 14, clipped(label)))
        y += HEAD
        for words, value, colour in each:
            parts.append(text(LEFT + 4, y + 10, words, SMALL))
            parts.append(
                rect(axis.start, y, max(axis.at(value) - axis.start, 1), BAR - 4, colour, tip=f"{words}: {value:g}")
            )
            parts.append(text(axis.at(value) + 4, y + 10, significant(value), 'class="small value"'))
            y += BAR
    said = ". ".join(
        f"{label}: " + ", ".join(f"{words} {significant(v)}" for words, v, _ in each) for label, each in bars
    )
    words = "pictures a second, logarithmic" if axis.logarithmic else "pictures a second, from 0"
    parts.append(text(RIGHT, y + 12, words, 'class="small" text-anchor="end"'))
    return inline(WIDTH, y + 18, parts, name=name, title=title, description=said)


def _bars(
    label: str, batches: Sequence[Throughput], streamed: float | None
) -> tuple[str, list[tuple[str, float, str]]]:
    bars = [(f"batch {each.batch}", each.pictures_per_s, SERIES) for each in batches]
    return label, bars + ([] if streamed is None else [("streamed", streamed, SECOND)])
