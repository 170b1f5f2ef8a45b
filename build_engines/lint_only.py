"""``edge-sr build --lint-only``: what TensorRT would say to the graphs of a build, on any machine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from build_engines.chain_graphs import Graphs, float_graphs
from build_engines.check.pictures import Pictures
from build_engines.lint import Finding, as_text, lint, passes
from build_engines.lint import as_json as finding_json
from build_engines.lint.tensorrt_versions import VERSIONS
from build_engines.makers import QUANTISING
from build_engines.precision.quantiser import Quantiser, in_fp16
from build_engines.ranges.find import ranges_for
from build_engines.sensitivity.macs import effort_of
from calibration.choose import AUTO
from edge_sr.artifacts.chain import Chain

FLAVOUR = "tensorrt"


def lint_report(
    chain: Chain,
    precision: str,
    pictures: Pictures,
    *,
    version: str | None = None,
    as_json: bool = False,
    high: tuple[str, ...] = (),
    table: Path | None = None,
    recalibrate: bool = False,
    method: str = AUTO,
    threads: int | None = None,
) -> tuple[bool, list[str]]:
    """Whether no version finds an error, and what to print.

    precision: "auto" is linted as INT8 with nothing but ``high`` kept out. version: None looks at all of them. The
    rest is as in ``build_engines.build.Request``.
    """
    versions = [version] if version else list(VERSIONS)
    graphs: Graphs = float_graphs(chain)
    if precision == "fp16":
        graphs = in_fp16(graphs)
    elif precision in QUANTISING:
        found_ranges = ranges_for(
            chain,
            graphs,
            lambda: pictures.affordable(effort_of(chain, graphs)).calibration,
            table=table,
            anew=recalibrate,
            method=method,
            threads=threads,
        )
        graphs = Quantiser.of(graphs, found_ranges.table, FLAVOUR).graphs(high)
    found = {(role, name): lint(graph, version=name) for role, graph in graphs.items() for name in versions}
    passed = all(passes(findings) for findings in found.values())
    if as_json:
        records = [finding_json(each, file=role, version=name) for (role, name), each in found.items()]
        return passed, [json.dumps({"passes": passed, "graphs": records}, indent=2)]
    return passed, [line for (role, name), each in found.items() for line in _lines(role, name, each)]


def _lines(role: str, version: str, findings: Sequence[Finding]) -> Iterator[str]:
    yield f"{role}, TensorRT {version}:"
    yield from (f"  {line}" for line in as_text(findings))
