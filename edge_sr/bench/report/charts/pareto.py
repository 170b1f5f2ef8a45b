"""Quality against latency: which variants no other beats in both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edge_sr.bench.report.charts.axis import (
    END,
    MUTED,
    PAPER,
    SECOND,
    SERIES,
    SMALL,
    WIDTH,
    around,
    columns,
    of_times,
    rows,
)
from edge_sr.bench.report.numbers import significant
from edge_sr.svg import circle, inline, line, polyline, text

LEFT, RIGHT, TOP, BOTTOM, HEIGHT = 44, 326, 24, 204, 240
RADIUS = 8


@dataclass(frozen=True)
class Point:
    """low, high: the interval of worth. number: under which the page lists the variant."""

    number: int
    label: str
    ms: float
    worth: float
    low: float
    high: float


def pareto(points: Sequence[Point], *, name: str, title: str, unit: str, more_is_better: bool = True) -> str:
    """The better worth is always above."""
    x_axis = of_times([point.ms for point in points], LEFT, RIGHT)
    ends = (BOTTOM, TOP) if more_is_better else (TOP, BOTTOM)
    y_axis = around([value for point in points for value in (point.low, point.worth, point.high)], *ends)
    best = front(points, more_is_better=more_is_better)
    parts = [text(2, 11, f"{unit}, better above", SMALL), *rows(y_axis, LEFT, RIGHT), *columns(x_axis, TOP, BOTTOM)]
    parts.append(text(RIGHT, BOTTOM + 26, "p50, ms" + (", logarithmic" if x_axis.logarithmic else ""), END))
    corners = [(x_axis.at(point.ms), y_axis.at(point.worth)) for point in best]
    parts.append(polyline(_stairs(corners), SECOND, attributes='stroke-dasharray="4 3"'))
    places = _apart([(x_axis.at(point.ms), y_axis.at(point.worth)) for point in points])
    for point, place in zip(points, places, strict=True):
        x, y = x_axis.at(point.ms), y_axis.at(point.worth)
        parts.append(line(x, y_axis.at(point.low), x, y_axis.at(point.high), MUTED, width=1.5))
        parts += _numbered(point, (x, y), place, on_front=point in best)
    said = "; ".join(f"{p.label}: {significant(p.ms)} ms, {p.worth:.4g}" for p in points)
    beaten = "On the front: " + ", ".join(p.label for p in best)
    return inline(WIDTH, HEIGHT, parts, name=name, title=title, description=f"{said}. {beaten}.")


def front(points: Sequence[Point], *, more_is_better: bool) -> list[Point]:
    """Those that no other point beats in both, the fastest first."""
    kept: list[Point] = []
    sign = 1 if more_is_better else -1
    for point in sorted(points, key=lambda each: (each.ms, -sign * each.worth)):
        if not kept or sign * point.worth > sign * kept[-1].worth:
            kept.append(point)
    return kept


def _stairs(corners: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """What a buyer of more time gets: nothing until the next point."""
    for n, (x, y) in enumerate(corners):
        if n:
            yield x, corners[n - 1][1]
        yield x, y


def _numbered(point: Point, at: tuple[float, float], place: tuple[float, float], *, on_front: bool) -> Iterator[str]:
    if place != at:
        yield line(*at, *place, MUTED)
        yield circle(*at, 2.5, MUTED, tip=point.label)
    tip = f"{point.label}: {significant(point.ms)} ms, {point.worth:.4g}"
    yield circle(*place, RADIUS, SECOND if on_front else SERIES, tip=tip)
    yield text(place[0], place[1] + 4, str(point.number), f'class="on-mark" text-anchor="middle" fill="{PAPER}"')


def _apart(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Places at which the marks do not hide each other: moved aside where one stands too near an earlier one."""
    found: list[tuple[float, float]] = []
    steps = [(0.0, 0.0)] + [(dx * k, dy * k) for k in (17.0, 34.0) for dx, dy in _DIRECTIONS]
    for x, y in places:
        free = [(x + dx, y + dy) for dx, dy in steps if _inside(x + dx, y + dy) and _clear((x + dx, y + dy), found)]
        found.append(free[0] if free else (x, y))
    return found


_DIRECTIONS = ((1, 0), (-1, 0), (0, -1), (0, 1), (0.75, -0.75), (-0.75, 0.75), (-0.75, -0.75), (0.75, 0.75))


def _inside(x: float, y: float) -> bool:
    return LEFT <= x <= RIGHT + 6 and TOP - 4 <= y <= BOTTOM


def _clear(place: tuple[float, float], others: Sequence[tuple[float, float]]) -> bool:
    return all((place[0] - x) ** 2 + (place[1] - y) ** 2 >= (2 * RADIUS) ** 2 for x, y in others)
