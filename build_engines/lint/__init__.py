"""TensorRT lint: a graph against written rules, before a device spends minutes on refusing it.

``lint`` looks at one graph for one version of TensorRT. It needs onnx and neither TensorRT nor a GPU: it holds the
graph against what the documentation says, which is no proof that TensorRT takes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from onnx import ModelProto

from build_engines.lint.graph import Graph
from build_engines.lint.rules import ERROR, RULES, SEVERITIES, Rule
from build_engines.lint.tensorrt_versions import VERSIONS
from edge_sr.errors import UsageError

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Finding:
    """One rule broken in one place. where: a node, a tensor or the graph; source: where the rule is written."""

    rule: str
    severity: str
    where: str
    what: str
    why: str
    todo: str
    source: str


def lint(model: ModelProto, *, version: str) -> list[Finding]:
    """All that TensorRT would refuse, misread or run slowly, in the order of the rules.

    version: one of VERSIONS; raises UsageError for another. The model may be loaded without its external data.
    """
    if version not in VERSIONS:
        raise UsageError(f"no rules for TensorRT {version}", expected=" or ".join(VERSIONS))
    graph = Graph(model, VERSIONS[version])
    findings: list[Finding] = []
    for rule in RULES:
        found = [_finding(rule, *hit) for hit in rule.check(graph)]
        findings += found
        if found and rule.alone:
            break
    return findings


def _finding(rule: Rule, where: str, what: str) -> Finding:
    return Finding(rule.id, rule.severity, where, what, rule.why, rule.todo, rule.source)


def passes(findings: Sequence[Finding]) -> bool:
    """Whether none is an error."""
    return all(finding.severity != ERROR for finding in findings)


def counts(findings: Sequence[Finding]) -> dict[str, int]:
    """By severity."""
    return {severity: sum(f.severity == severity for f in findings) for severity in SEVERITIES}


def as_text(findings: Sequence[Finding]) -> list[str]:
    """For people: a line a finding, and below those of one rule why it matters and what to do."""
    lines = []
    for _, group in groupby(findings, key=lambda finding: finding.rule):
        same = list(group)
        lines += [f"{finding.severity} [{finding.rule}] {finding.where}: {finding.what}" for finding in same]
        lines += [f"  why: {same[0].why} ({same[0].source})", f"  do:  {same[0].todo}"]
    summary = ", ".join(f"{n} {severity}{'s' * (n != 1)}" for severity, n in counts(findings).items() if n)
    return [*lines, summary or "clean"]


def as_json(findings: Sequence[Finding], *, file: str, version: str) -> dict[str, Any]:
    """For programs."""
    return {
        "schema_version": SCHEMA_VERSION,
        "file": file,
        "tensorrt": version,
        "passes": passes(findings),
        "counts": counts(findings),
        "findings": [asdict(finding) for finding in findings],
    }
