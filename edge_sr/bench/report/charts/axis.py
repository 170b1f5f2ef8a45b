"""From values to places, and which values to write beside the lines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from edge_sr.bench.report.numbers import significant
from edge_sr.svg import line, text

WIDTH = 340  # units of every chart; about the pixels of a telephone's page, so that letters stay readable there
LEFT, RIGHT = 6, 334
INK, MUTED, GRID, PAPER = "var(--ink)", "var(--muted)", "var(--grid)", "var(--paper)"
SERIES, SECOND, GOOD, BAD = "var(--series)", "var(--second)", "var(--good)", "var(--bad)"
SMALL, MIDDLE, END = 'class="small"', 'class="small" text-anchor="middle"', 'class="small" text-anchor="end"'
LOGARITHMIC_FROM = 12  # times between the least and the most: below, a line from 0 shows more


@dataclass(frozen=True)
class Axis:
    """start, end: where low and high stand; end may be the smaller."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        share = self._share(min(max(value, self.low), self.high))
        return round(self.start + share * (self.end - self.start), 2)

    def _share(self, value: float) -> float:
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self, most: int = 6) -> list[float]:
        return _decades(self.low, self.high, most) if self.logarithmic else _rounds(self.low, self.high, most)


def from_zero(values: Iterable[float], start: float, end: float) -> Axis:
    high = max(values, default=0.0)
    return Axis(0.0, (high or 1.0) * 1.05, start, end)


def around(values: Iterable[float], start: float, end: float) -> Axis:
    """A little more than the values span."""
    known = list(values)
    low, high = min(known), max(known)
    margin = 0.08 * (high - low) or abs(high) * 0.01 or 1.0
    return Axis(low - margin, high + margin, start, end)


def of_times(values: Iterable[float], start: float, end: float) -> Axis:
    """From 0, or logarithmic where the values lie far apart."""
    known = [value for value in values if value > 0]
    if not known or max(known) / min(known) < LOGARITHMIC_FROM:
        return from_zero(known, start, end)
    return Axis(min(known) / 1.5, max(known) * 1.2, start, end, logarithmic=True)


def columns(axis: Axis, top: float, bottom: float, most: int = 6) -> Iterator[str]:
    """Lines from top to bottom, their values below."""
    for value in axis.ticks(most):
        yield line(axis.at(value), top, axis.at(value), bottom, GRID)
        yield text(axis.at(value), bottom + 12, told(value), MIDDLE)


def rows(axis: Axis, left: float, right: float, most: int = 5) -> Iterator[str]:
    """Lines from left to right, their values before them."""
    for value in axis.ticks(most):
        yield line(left, axis.at(value), right, axis.at(value), GRID)
        yield text(left - 4, axis.at(value) + 3.5, told(value), END)


def told(value: float) -> str:
    return f"{value:g}" if abs(value) < 1e5 else significant(value)


def clipped(label: str, most: int = 40) -> str:
    """So that a long name leaves room for the number at the end of its line."""
    return label if len(label) <= most else f"{label[: most - 1]}…"


def _rounds(low: float, high: float, most: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(times * power for times in (1, 2, 5, 10) if (high - low) / (times * power) <= most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{n * step:.12g}") for n in range(first, last + 1)]


def _decades(low: float, high: float, most: int) -> list[float]:
    """Powers of ten; between them also 2 and 5, or 3, where there is room."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    found: list[float] = []
    for times in ((1, 2, 5), (1, 3), (1,)):
        values = (float(f"{each * 10.0**power:.3g}") for power in range(first, last + 1) for each in times)
        found = [value for value in values if low <= value <= high]
        if len(found) <= most:
            break
    return found
