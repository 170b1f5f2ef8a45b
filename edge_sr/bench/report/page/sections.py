"""The parts of the page, in the order in which they stand there. Each gives "" where the report has nothing for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from edge_sr.bench.report import tables
from edge_sr.bench.report.charts.latency import distributions, side_by_side
from edge_sr.bench.report.charts.pareto import Point, pareto
from edge_sr.bench.report.charts.phases import stacked
from edge_sr.bench.report.charts.power import power_over_time
from edge_sr.bench.report.charts.throughput import by_batch
from edge_sr.bench.report.table import Table
from edge_sr.bench.report.words import SIMULATED, before_and_after, conditions, flat
from edge_sr.bench.schema import LESS_IS_BETTER, Report, Times

FRONTS = {"psnr_db": "PSNR, dB", "haarpsi_med": "HaarPSI_MED", "lpips": "LPIPS"}
APART = 8  # times between the longest bar and the shortest: above, shares say more than lengths


def head(report: Report) -> str:
    made = f"edge-sr {report.code_version}, {report.created}"
    banner = f'<p class="banner" role="alert">{escape(SIMULATED)}</p>' if report.simulated else ""
    return f'<h1>edge-sr bench</h1><p class="lead">{escape(made)}</p>{banner}'


def warnings(report: Report) -> str:
    if not report.warnings:
        return ""
    items = "".join(f"<li>{escape(each)}</li>" for each in report.warnings)
    return f'<section class="alert" aria-label="Warnings"><h2>Read these first</h2><ul>{items}</ul></section>'


def overview(report: Report) -> str:
    told = "".join(f"<h3>{escape(title)}</h3>{listed(facts)}" for title, facts in tables.identities(report))
    more = f"<details><summary>What each variant is</summary>{told}</details>"
    return section("Overview", tables.overview(report).html(), more)


def latency(report: Report) -> str:
    inside = _rows(report, "latency")
    files = _rows(report, "file_latency")
    medians = [card("In memory: p50, and on to p99", side_by_side(inside, name="in-memory", title="Latency in memory"))]
    if files:
        chart = side_by_side(files, name="file-to-file", title="Latency from file to file")
        medians.append(card("File to file: p50, and on to p99", chart))
    cards = [f'<div class="stack">{"".join(medians)}</div>']
    for rows, name, words in ((inside, "spread", "in memory"), (files, "file-spread", "file to file")):
        if any(len(times.samples_ms) > 1 for _, times in rows):
            chart = distributions(rows, name=name, title=f"Distribution of latency, {words}")
            cards.append(card(f"Distribution, {words}", chart, "Each on its own scale, in ms."))
    more = folded("Latency in numbers", tables.latencies(report), tables.openings(report))
    return section("Latency of one picture", charts(cards), more)


def phases(report: Report) -> str:
    rows = _rows(report, "file_latency") or _rows(report, "latency")
    rows = [(label, times) for label, times in rows if times.phases_p50_ms]
    if not rows:
        return ""
    cards = [card("Phases, milliseconds", stacked(rows, name="phases", title="Phases in milliseconds"))]
    sums = [sum(times.phases_p50_ms.values()) for _, times in rows]
    if max(sums) > APART * min(sums):
        chart = stacked(rows, name="shares", title="Phases as shares", shares=True)
        cards.append(card("Phases, shares", chart))
    return section("Where the time goes", charts(cards), folded("Phases in numbers", tables.phases(report)))


def quality(report: Report) -> str:
    scores = tables.scores(report)
    if scores is None:
        return ""
    cards = [card(f"{title} against p50", chart) for title, chart in _fronts(report)]
    left_out = [each.title for each in report.variants if each.quality is None]
    told = f'<p class="note">Not here, since their quality was not measured: {escape(", ".join(left_out))}.</p>'
    line = '<p class="note">The dashed line joins those that no other variant beats in both.</p>'
    more = folded("Quality in numbers", scores, tables.scores_over_bicubic(report), tables.worst(report))
    return section("Quality against latency", charts(cards), _key(report), line, told if left_out else "", more)


def _fronts(report: Report) -> Iterator[tuple[str, str]]:
    for metric, title in FRONTS.items():
        points = []
        for n, variant in enumerate(report.variants, 1):
            found = variant.quality.metrics.get(metric) if variant.quality else None
            if found is not None:
                points.append(Point(n, variant.title, variant.latency.p50_ms, found.mean, found.low, found.high))
        if points:
            more = metric not in LESS_IS_BETTER
            yield title, pareto(points, name=metric, title=f"{title} against latency", unit=title, more_is_better=more)


def throughput(report: Report) -> str:
    table = tables.throughputs(report)
    if table is None:
        return ""
    pairs = zip(tables.numbered(report), report.variants, strict=True)
    rows = [
        (label, each.throughput, each.stream_pictures_per_s)
        for label, each in pairs
        if each.throughput or each.stream_pictures_per_s is not None
    ]
    chart = by_batch(rows, name="throughput", title="Pictures a second, by batch")
    return section("Throughput", charts([card("Pictures a second", chart)]), folded("Throughput in numbers", table))


def costs(report: Report) -> str:
    table = tables.costs(report)
    chart = ""
    if report.power is not None and report.power.samples:
        numbers = {variant.key: n for n, variant in enumerate(report.variants, 1)}
        drawn = power_over_time(report.power, numbers, name="power", title="Power over time")
        chart = charts([card("Power over time", drawn, f"{report.power.meter}: {report.power.covers}")]) + _key(report)
    none = "" if report.power else '<p class="note">Power: not available, no meter was read.</p>'
    return section("Memory and energy", table.html() if table else "", chart, none) if table or chart else ""


def surroundings(report: Report) -> str:
    looks = before_and_after(report)
    options = list(flat(report.options))
    asked = f"<details><summary>Asked for</summary>{listed(options)}</details>" if options else ""
    return section("Conditions", listed(conditions(report)), looks.html() if looks else "", asked)


def section(title: str, *parts: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def listed(facts: Iterable[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts) + "</dl>"


def charts(cards: list[str]) -> str:
    return f'<div class="charts">{"".join(cards)}</div>'


def card(title: str, chart: str, note: str = "") -> str:
    told = f"<figcaption>{escape(note)}</figcaption>" if note else ""
    return f'<figure class="card"><h3>{escape(title)}</h3>{chart}{told}</figure>'


def folded(title: str, *found: Table | None) -> str:
    content = "".join(table.html() for table in found if table is not None)
    return f"<details><summary>{escape(title)}</summary>{content}</details>" if content else ""


def _rows(report: Report, which: str) -> list[tuple[str, Times]]:
    pairs = zip(tables.numbered(report), report.variants, strict=True)
    return [(label, getattr(variant, which)) for label, variant in pairs if getattr(variant, which) is not None]


def _key(report: Report) -> str:
    items = "".join(f"<li>{escape(variant.title)}</li>" for variant in report.variants)
    return f'<ol class="key note" aria-label="Numbers of the variants">{items}</ol>'
