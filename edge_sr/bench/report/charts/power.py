"""Power over time, with who worked when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from edge_sr.bench.report.charts.axis import END, SECOND, SMALL, WIDTH, Axis, columns, from_zero, rows
from edge_sr.bench.report.numbers import significant
from edge_sr.bench.schema import Power, Window
from edge_sr.svg import inline, polyline, rect, text

LEFT, RIGHT, TOP, BOTTOM, HEIGHT = 36, 334, 24, 144, 178
MOST_POINTS = 300
STRIPE = 12  # the height that tells whose turn it is


def power_over_time(power: Power, numbers: Mapping[str, int], *, name: str, title: str) -> str:
    """numbers: under which the page lists the variants, by key."""
    samples = thinned(power.samples)
    ends = [t for t, _ in samples] + [t for window in power.windows for t in (window.start_s, window.end_s)]
    time = Axis(min(ends), max(max(ends), min(ends) + 1e-3), LEFT, RIGHT)
    watts = from_zero([watt for _, watt in samples], BOTTOM, TOP)
    parts = [text(2, 11, "W", SMALL), *_windows(power.windows, numbers, time), *rows(watts, LEFT, RIGHT)]
    parts += columns(time, BOTTOM, BOTTOM + 3)
    parts.append(polyline([(time.at(t), watts.at(watt)) for t, watt in samples], SECOND))
    parts.append(text(RIGHT, BOTTOM + 27, "seconds; numbers: the variant at work", END))
    highest = max(watt for _, watt in power.samples)
    said = f"{power.meter}, {power.covers}: {len(power.samples)} readings, at most {significant(highest)} W."
    return inline(WIDTH, HEIGHT, parts, name=name, title=title, description=said)


def _windows(windows: Sequence[Window], numbers: Mapping[str, int], time: Axis) -> Iterator[str]:
    for window in windows:
        number = numbers.get(window.variant, 0)
        x, end = time.at(window.start_s), time.at(window.end_s)
        yield rect(x, TOP, round(max(end - x - 0.5, 0.5), 2), BOTTOM - TOP, f"var(--window-{number % 2})")
        if end - x >= STRIPE:
            yield text(round((x + end) / 2, 2), TOP - 4, str(number), 'class="small" text-anchor="middle"')


def thinned(samples: Sequence[tuple[float, float]], most: int = MOST_POINTS) -> list[tuple[float, float]]:
    """Means of neighbours, so that no more than ``most`` are left."""
    each = -(-len(samples) // most) if samples else 1
    groups = [samples[n : n + each] for n in range(0, len(samples), each)]
    return [(sum(t for t, _ in group) / len(group), sum(w for _, w in group) / len(group)) for group in groups]
