"""What the device could do at best, as counted, beside what was measured."""

from __future__ import annotations

from html import escape

from edge_sr.bench.report.charts.gaps import gaps
from edge_sr.bench.report.page.sections import card, charts, folded, section
from edge_sr.bench.report.roofline import PREDICTION, Prediction, predictions
from edge_sr.bench.schema import Report


def roofline(report: Report) -> str:
    found = list(predictions(report.roofline or {}))
    if not found:
        return ""
    banner = f'<p class="alert"><strong>{escape(PREDICTION)}</strong></p>'
    return section("The limit", banner, *(_part(each, n) for n, each in enumerate(found)))


def _part(found: Prediction, n: int) -> str:
    shown = "".join(table.html() for table in (found.summary, found.stages, found.kinds) if table is not None)
    chart = ""
    if found.gaps:
        title = f"Predicted floor and measured time: {found.title}"
        chart = charts([card("Floor and measured, by kind", gaps(found.gaps, name=f"gaps-{n}", title=title))])
    more = folded("What is taken of the device", found.device) + folded("Every node", found.nodes)
    return f"<h3>{escape(found.title)}</h3>{chart}{shown}{more}"
