"""The page, put together."""

from __future__ import annotations

from html import escape

from edge_sr.bench.report.page import sections
from edge_sr.bench.report.page.pictures import Pictures, against_float32, before_and_after
from edge_sr.bench.report.page.roofline import roofline
from edge_sr.bench.report.page.style import STYLE
from edge_sr.bench.report.tables import numbered, shifts
from edge_sr.bench.report.words import machine_line
from edge_sr.bench.schema import Report
from edge_sr.pipeline import NOTICE

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"  # whatever a name in the report says


def html(report: Report) -> str:
    """The whole file: inline SVG and style, PNG pictures as data, nothing to load and nothing to run."""
    pictures = Pictures(report)
    body = "".join(
        [
            "<header>",
            sections.head(report),
            f"<p>{escape(machine_line(report))}</p>",
            f'<p class="notice">{escape(NOTICE)}</p>',
            sections.warnings(report),
            "</header><main>",
            pictures.definitions(),
            sections.overview(report),
            sections.latency(report),
            sections.phases(report),
            sections.quality(report),
            _pictures(report, pictures),
            sections.throughput(report),
            sections.costs(report),
            roofline(report),
            sections.surroundings(report),
            "</main>",
            f"<footer>{escape(NOTICE)} Figures: bench.json, schema version {report.schema_version}.</footer>",
        ]
    )
    title = "edge-sr bench" + (" (simulated)" if report.simulated else "")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"/>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        f"<title>{title}</title><style>{STYLE}</style></head><body>{body}</body></html>\n"
    )


def _pictures(report: Report, pictures: Pictures) -> str:
    titles = {panel.variant: panel.variant for panel in report.panels}  # of a variant that is not in the report
    titles |= dict(zip((variant.key for variant in report.variants), numbered(report), strict=True))
    rows = "".join(before_and_after(report, pictures, titles))
    cards = list(against_float32(report, pictures, titles))
    first = sections.section("Before and after", rows) if rows else ""
    table = sections.folded("Shift in numbers", shifts(report))
    return first + (sections.section("Against float32", sections.charts(cards), table) if cards else "")
