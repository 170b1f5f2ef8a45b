"""How long one picture takes: the variants against each other, and each one's own distribution."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge_sr.bench.report.charts.axis import (
    END,
    INK,
    LEFT,
    MUTED,
    RIGHT,
    SECOND,
    SERIES,
    SMALL,
    WIDTH,
    Axis,
    clipped,
    columns,
    of_times,
)
from edge_sr.bench.report.numbers import significant
from edge_sr.bench.schema import Times
from edge_sr.svg import inline, line, rect, text

Row = tuple[str, Times]
ROW, BAR = 34, 10  # of the comparison: a title above each bar
BINS, HILL, BLOCK = 60, 40, 84  # of a distribution: bars, their greatest height, the height of all of it
LAST = 0.995  # quantile at which a histogram ends; what lies beyond counts into its last bar


def side_by_side(rows: Sequence[Row], *, name: str, title: str) -> str:
    """A bar to the median, a thin line on to p99 (p95 below 100 calls)."""
    bottom = 4 + ROW * len(rows)
    axis = of_times([value for _, times in rows for value in (times.p50_ms, high_end(times))], LEFT, RIGHT - 4)
    parts = [*columns(axis, 4, bottom)]
    for n, (label, times) in enumerate(rows):
        y = 4 + ROW * n
        told = f"{significant(times.p50_ms)} ms"
        parts += [text(LEFT, y + 11, clipped(label)), text(RIGHT, y + 11, told, 'class="value" text-anchor="end"')]
        start, median, high = LEFT, axis.at(times.p50_ms), axis.at(high_end(times))
        tip = f"{label}: p50 {told}, p99 {significant(times.p99_ms)} ms"
        parts.append(rect(start, y + 16, max(median - start, 1), BAR, SERIES, tip=tip))
        parts += [line(median, y + 21, high, y + 21, INK, width=1.5), line(high, y + 17, high, y + 25, INK, width=1.5)]
    scale = "logarithmic" if axis.logarithmic else "from 0"
    said = "; ".join(f"{label}: {significant(times.p50_ms)} ms" for label, times in rows)
    parts.append(text(RIGHT, bottom + 26, f"ms, {scale}", END))
    return inline(WIDTH, bottom + 32, parts, name=name, title=title, description=f"Medians. {said}.")


def high_end(times: Times) -> float:
    return times.p95_ms if times.p99_ms is None else times.p99_ms


def distributions(rows: Sequence[Row], *, name: str, title: str) -> str:
    """Histograms, each on its own scale, with p50 and p99 marked."""
    drawn = [(label, times) for label, times in rows if len(times.samples_ms) > 1]
    parts = [part for n, (label, times) in enumerate(drawn) for part in _histogram(label, times, BLOCK * n)]
    said = "; ".join(f"{label}: p50 {significant(t.p50_ms)} ms, p99 {significant(t.p99_ms)} ms" for label, t in drawn)
    return inline(WIDTH, max(BLOCK * len(drawn), 1), parts, name=name, title=title, description=f"{said}.")


def _histogram(label: str, times: Times, top: float) -> Iterator[str]:
    axis, counts = _binned(times)
    floor, width = top + 20 + HILL, (RIGHT - LEFT) / BINS
    yield text(LEFT, top + 12, clipped(label))
    yield text(RIGHT, top + 12, f"cv {100 * times.cv:.1f} %", END)
    for n, count in enumerate(counts):
        if count:
            height = max(HILL * count / max(counts), 1)
            yield rect(
                round(LEFT + n * width, 2), round(floor - height, 2), round(width - 0.5, 2), round(height, 2), SERIES
            )
    yield line(LEFT, floor, RIGHT, floor, MUTED)
    yield text(LEFT, floor + 12, significant(axis.low), SMALL)
    yield from _marks(times, axis, floor)


def _marks(times: Times, axis: Axis, floor: float) -> Iterator[str]:
    """p50 and the high end, with their numbers below; where they stand close, each on its own side."""
    median, high = axis.at(times.p50_ms), axis.at(high_end(times))
    for x, colour in ((median, INK), (high, SECOND)):
        yield line(x, floor - HILL - 2, x, floor + 2, colour, width=1.5)
    which = "p95" if times.p99_ms is None else "p99"
    left = min(max(median, 78), RIGHT - 130)
    yield text(left, floor + 12, f"p50 {significant(times.p50_ms)}", 'class="small value" text-anchor="middle"')
    yield text(
        RIGHT, floor + 12, f"{which} {significant(high_end(times))} ms", 'class="small second" text-anchor="end"'
    )


def _binned(times: Times) -> tuple[Axis, list[int]]:
    samples = sorted(times.samples_ms)
    low = samples[0]
    high = max(samples[min(int(LAST * len(samples)), len(samples) - 1)], high_end(times), low * 1.001)
    axis = Axis(low, high, 0, BINS)
    counts = [0] * BINS
    for sample in samples:
        counts[min(int(axis.at(sample)), BINS - 1)] += 1
    return Axis(low, high, LEFT, RIGHT), counts
