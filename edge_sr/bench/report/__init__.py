"""A report told: as a page, for a README, against another one, against limits."""

from edge_sr.bench.report.compare import Comparison, compare
from edge_sr.bench.report.limits import Limits, parse_limits
from edge_sr.bench.report.markdown import markdown
from edge_sr.bench.report.page import html
from edge_sr.bench.report.regress import Regression, regressions

__all__ = ["Comparison", "Limits", "Regression", "compare", "html", "markdown", "parse_limits", "regressions"]
