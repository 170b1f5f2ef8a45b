"""Sensitivities as a table for a terminal and as a record for a build's folder."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict

from build_engines.sensitivity.search import Assignment, Sensitivity


def table_text(found: Sequence[Sensitivity], macs: Mapping[str, int], *, high: Collection[str] = ()) -> str:
    """One line a convolution, the most harmful first. high: those that are kept out of INT8."""
    width = max(len("convolution"), *(len(each.convolution) for each in found))
    lines = [f"{'convolution':{width}}  {'alone in INT8, dB':>17}  {'10^6 MACs':>9}  kept"]
    for each in sorted(found, key=lambda each: each.psnr_db):
        kept = "high" if each.convolution in high else "int8"
        cost = macs[each.convolution] / 1e6
        lines.append(f"{each.convolution:{width}}  {each.psnr_db:17.2f}  {cost:9.1f}  {kept}")
    return "\n".join(lines)


def to_json(
    found: Iterable[Sensitivity], macs: Mapping[str, int], assignment: Assignment | None = None
) -> dict[str, object]:
    """Plain values: every convolution in the order of the graph, and what was tried and chosen."""
    high = assignment.high if assignment else ()
    record: dict[str, object] = {
        "convolutions": [
            {
                "convolution": each.convolution,
                "psnr_db": round(each.psnr_db, 3),
                "macs": macs[each.convolution],
                "high": each.convolution in high,
            }
            for each in found
        ]
    }
    if assignment:
        record |= {"high": list(high), "tried": [asdict(trial) for trial in assignment.tried]}
        record |= {"passed": assignment.verdict.passed}
    return record
