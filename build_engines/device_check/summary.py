"""The report for a person: the verdict, one table of the engines, and every step that did not pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from build_engines.device_check.report import Report
from build_engines.device_check.steps import FAILED, PASSED, Result
from build_engines.device_check.subject import FLOAT32, PRECISIONS

SIMULATED = "no GPU and no TensorRT were there. Nothing here is a measurement."
NONE = "-"
BUSY = 0.5  # programs that want to run, on average over the minute before


def summary(report: Report) -> Iterator[str]:
    """Line by line; each of a simulated run says so."""
    yield from (f"SIMULATED {line}" if report.simulated else line for line in _lines(report))


def _lines(report: Report) -> Iterator[str]:
    verdict = "passed" if report.passed else "interrupted" if not report.complete else "FAILED"
    yield f"# edge-sr device-check: {verdict}"
    yield ""
    if report.simulated:
        yield SIMULATED
        yield ""
    yield from _machine(report.head)
    yield ""
    yield from _table(_by_name(report.results))
    yield ""
    yield from _others(_by_name(report.results))
    yield from _unpassed(report.results)
    if reasons := _throttling(report.results):
        yield f"degraded: clocks were held down ({', '.join(reasons)}); cool the board and run it again"
    yield f"{report.seconds / 60:.1f} minutes"


def _machine(head: Mapping[str, Any]) -> Iterator[str]:
    machine, bundle = head["machine"], head["bundle"]
    target = machine["target"]
    yield f"machine: {machine['board'] or machine['cpu_model'] or machine['machine']}, {machine['cores']} cores, " + (
        "memory not available" if machine["memory_mib"] is None else f"{machine['memory_mib']} MiB"
    )
    yield f"runs on: {target['backend']} {target['backend_version']}, {target['device']}"
    yield f"bundle: {bundle['name']} {bundle['version']}, {bundle['chain']}"
    yield f"power mode: {machine['power_mode'] or 'not available'}"
    if head["no_tensorrt"]:
        yield "TensorRT is not used: " + head["no_tensorrt"].replace("\n  try: ", "; try: ")
    if (machine["load_average"] or 0) > BUSY:
        yield f"busy: the load was {machine['load_average']} before the start; times would be better on an idle machine"


def _by_name(results: Sequence[Result]) -> dict[str, Mapping[str, Any]]:
    """The figures of the steps that have any."""
    return {result.name: result.findings.figures for result in results if result.findings.figures}


_COLUMNS = ("engine", "dB", "first ms", "p50 ms", "p90 ms", "p99 ms", "x fp32", "x stream", "J/picture", "KiB grown")


def _table(found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """x fp32: in turn. x stream: against run in a loop."""
    rows = [_COLUMNS, tuple("---" for _ in _COLUMNS)]
    for precision in (FLOAT32, *PRECISIONS):
        latency = found.get(f"latency-{precision}", {})
        accuracy = found.get(f"accuracy-{precision}", {}).get("rows", ())
        rows.append(
            (
                precision,
                _number(min((row["psnr_db"] for row in accuracy), default=None), 1),
                _number(latency.get("first_call_ms"), 1),
                *(_number(latency.get(name), 2) for name in ("p50_ms", "p90_ms", "p99_ms")),
                _number(found.get("in-turn", {}).get("times_as_fast", {}).get(precision), 2),
                _number(found.get(f"overlap-{precision}", {}).get("times_as_fast"), 2),
                _number(found.get(f"power-{precision}", {}).get("joules_per_picture"), 4),
                _number(found.get(f"growth-{precision}", {}).get("growth_kib"), 0),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    for row in rows:
        fill = "-" if row[0] == "---" else " "
        yield "| " + " | ".join(cell.ljust(width, fill) for cell, width in zip(row, widths, strict=True)) + " |"


def _number(value: float | None, digits: int) -> str:
    return NONE if value is None else f"{value:.{digits}f}"


def _others(found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if memory := found.get("host-memory"):
        faster = "zero-copy" if memory["zero_copy"] else "copies"
        yield f"memory of the GPU: {faster} is taken from now on"
    for precision in PRECISIONS:
        if (hidden := found.get(f"overlap-{precision}", {}).get("copies_hidden")) is not None:
            yield f"stream, {precision}: {hidden:.0%} of the copies lie under another picture's compute"
        if graph := found.get(f"cuda-graph-{precision}"):
            yield f"CUDA graph, {precision}: {graph['state']}, {graph['times_as_fast']:.2f} times as fast as launches"
    if picture := found.get("picture"):
        phases = ", ".join(f"{name} {ms:.2f}" for name, ms in picture["phases_p50_ms"].items())
        yield f"one file to another: p50 {picture['p50_ms']:.2f} ms ({phases})"


def _unpassed(results: Sequence[Result]) -> Iterator[str]:
    """Those of one reason in one line."""
    alike: dict[tuple[str, str], list[str]] = {}
    for result in results:
        if result.status != PASSED:
            alike.setdefault((result.status, result.reason), []).append(result.name)
    for (status, reason), names in alike.items():
        yield f"{status.upper() if status == FAILED else status}: {', '.join(names)}: {reason}"


def _throttling(results: Sequence[Result]) -> list[str]:
    return list(dict.fromkeys(reason for result in results for reason in result.throttling or ()))
