"""The report as one HTML file that needs nothing beside itself: no script, no address, no font."""

from edge_sr.bench.report.page.document import html

__all__ = ["html"]
