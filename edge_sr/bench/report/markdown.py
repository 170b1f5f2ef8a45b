"""The report for a README: what a reader wants first, the conditions, and what to beware of."""

from __future__ import annotations

from collections.abc import Iterator

from edge_sr.bench.report import tables
from edge_sr.bench.report.roofline import PREDICTION, predictions
from edge_sr.bench.report.table import Table, in_markdown
from edge_sr.bench.report.words import SIMULATED, machine_line
from edge_sr.bench.schema import Report
from edge_sr.pipeline import NOTICE


def markdown(report: Report) -> str:
    """Ends with a line end. The whole of a report is in bench.json and on the page."""
    return "\n".join(_blocks(report)).rstrip("\n") + "\n"


def _blocks(report: Report) -> Iterator[str]:
    yield "## edge-sr bench\n"
    if report.simulated:
        yield f"> **{SIMULATED}**\n"
    made = f"{machine_line(report)}; edge-sr {report.code_version}, {report.created}."
    yield f"{in_markdown(made)} {_versions(report)} One run, medians.\n"
    for warning in report.warnings:
        yield f"> **Warning:** {in_markdown(warning)}\n"
    yield tables.overview(report).markdown()
    for table in (tables.phases(report), tables.scores(report), tables.shifts(report), tables.costs(report)):
        if table is not None:
            yield _titled(table)
    if report.roofline:
        yield f"### The limit\n\n**{PREDICTION}**\n"
        for found in predictions(report.roofline):
            yield from (_titled(table) for table in (found.summary, found.stages, found.kinds) if table is not None)
    yield f"{NOTICE}\n"


def _titled(table: Table) -> str:
    return f"#### {in_markdown(table.title)}\n\n{table.markdown()}"


def _versions(report: Report) -> str:
    told = ", ".join(f"{name} {version}" for name, version in report.conditions.versions.items())
    return in_markdown(f"{told}." if told else "")
