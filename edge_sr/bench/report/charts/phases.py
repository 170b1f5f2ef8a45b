"""Where the time of one picture goes: a bar a variant, its phases after one another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge_sr.bench.report.charts.axis import END, LEFT, RIGHT, WIDTH, Axis, clipped, columns, from_zero
from edge_sr.bench.report.numbers import share, significant
from edge_sr.bench.schema import Times
from edge_sr.svg import inline, rect, text
from edge_sr.timing import PHASES

ROW, BAR, ACROSS = 38, 14, 4  # ACROSS: entries of the legend beside each other


def stacked(rows: Sequence[tuple[str, Times]], *, name: str, title: str, shares: bool = False) -> str:
    """shares: every bar is as long as the next; for variants that lie far apart."""
    drawn = [(label, dict(times.phases_p50_ms)) for label, times in rows if times.phases_p50_ms]
    axis = from_zero([100 / 1.05 if shares else sum(ms.values()) for _, ms in drawn], LEFT, RIGHT - 10)
    used = [phase for phase in PHASES if any(ms.get(phase) for _, ms in drawn)]
    head = 16 * (-(-len(used) // ACROSS)) + 4
    bottom = head + ROW * len(drawn)
    parts = [*_legend(used), *columns(axis, head, bottom)]
    for n, (label, ms) in enumerate(drawn):
        parts += _bar(label, ms, axis, head + ROW * n, shares=shares)
    parts.append(text(RIGHT, bottom + 26, "% of the sum" if shares else "ms; at the right, their sum", END))
    said = ". ".join(
        f"{label}: " + ", ".join(f"{p} {significant(ms[p])} ms" for p in used if p in ms) for label, ms in drawn
    )
    return inline(WIDTH, bottom + 32, parts, name=name, title=title, description=said)


def _bar(label: str, ms: dict[str, float], axis: Axis, y: float, *, shares: bool) -> Iterator[str]:
    total = sum(ms.values())
    yield text(LEFT, y + 14, clipped(label))
    yield text(RIGHT, y + 14, f"{significant(total)} ms", 'class="value" text-anchor="end"')
    passed = 0.0
    for phase in PHASES:
        if ms.get(phase):
            value = 100 * ms[phase] / total if shares else ms[phase]
            start, end = axis.at(passed), axis.at(passed + value)
            tip = f"{phase}: {significant(ms[phase])} ms, {share(ms[phase] / total)}"
            yield rect(start, y + 19, round(max(end - start - 0.6, 0.6), 2), BAR, colour(phase), tip=tip)
            passed += value


def _legend(used: Sequence[str]) -> Iterator[str]:
    for n, phase in enumerate(used):
        x, y = LEFT + (n % ACROSS) * (RIGHT - LEFT) / ACROSS, 16 * (n // ACROSS)
        yield rect(x, y + 2, 10, 10, colour(phase))
        yield text(x + 14, y + 11, phase.replace("_", " "), 'class="small"')


def colour(phase: str) -> str:
    return f"var(--phase-{PHASES.index(phase)})"
