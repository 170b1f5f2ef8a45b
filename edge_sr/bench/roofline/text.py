"""A roofline as tables for a terminal, which Markdown shows too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Found = Mapping[str, Any]  # of Roofline.to_json, with what roofline_of adds
MOST_ROWS = 12


def text_of(found: Found) -> str:
    """found: of ``roofline_of``."""
    parts = [_head(found), _stages(found)]
    if found["measured"] is not None:
        parts += [_measured(found), _kinds(found), _nodes(found)]
    return "\n\n".join(parts)


def summary_row(found: Found) -> list[str]:
    """One row under SUMMARY: a board and a precision."""
    energy = "-" if found["energy_mj"] is None else f"{found['energy_mj']:.1f}"
    parts = (f"{found[name]:.3f}" for name in ("floor_ms", "compute_ms", "memory_ms", "launch_ms"))
    return [found["device"]["title"], found["precision"], *parts, found["bound"], str(found["launches"]), energy]


SUMMARY = ["device", "precision", "floor ms", "compute ms", "memory ms", "launch ms", "bound", "launches", "mJ at most"]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [list(head), ["---"] * len(head), *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _head(found: Found) -> str:
    device = found["device"]
    tops = ", ".join(f"{precision} {rate:.2f} TOP/s" for precision, rate in device["tops"].items())
    basis = "measured in this run" if device["measured"] else "from data sheets"
    energy = "" if found["energy_mj"] is None else f"; {found['energy_mj']:.1f} mJ at {device['power_w']:g} W"
    return (
        f"{found['label']}: {found['bundle']}, {found['precision']}, on {device['title']}\n"
        f"ceilings, {basis}: {tops}, {device['gb_s']:.0f} GB/s, {device['launch_us']:.2f} us a launch\n"
        f"at least {found['floor_ms']:.3f} ms: mostly {found['bound']}; {found['operations'] / 1e9:.2f} G operations,"
        f" {found['bytes'] / 1e6:.1f} MB, {found['launches']} launches{energy}"
    )


def _stages(found: Found) -> str:
    head = ["stage", "launches", "G operations", "MB", "floor ms", "share"]
    rows = [
        [
            *(each["stage"], str(each["launches"]), f"{each['operations'] / 1e9:.3f}", f"{each['bytes'] / 1e6:.2f}"),
            *(f"{each['floor_ms']:.3f}", f"{each['share']:.0%}"),
        ]
        for each in found["stages"]
    ]
    return table(head, rows)


def _measured(found: Found) -> str:
    measured = found["measured"]
    above = ", ".join(measured["above"]) or "none"
    load = "" if measured["load_average"] is None else f", load average {measured['load_average']:.1f}"
    return (
        f"measured: {measured['session_ms']:.3f} ms a run (least {measured['session_least_ms']:.3f}), median of"
        f" {measured['runs']}{load}: {measured['times_floor']:.1f} times the floor;"
        f" the nodes' sum is {measured['nodes_ms']:.3f} ms\n"
        f"floor of the float32 graph in {found['precision']}, fused: {found['ideal_floor_ms']:.3f} ms\n"
        f"nodes whose floor lies above the least time measured: {above}"
    )


def _kinds(found: Found) -> str:
    head = ["kind", "nodes", "floor ms", "least ms", "measured ms", "times", "gap ms"]
    rows = [
        [
            *(each["kind"], str(each["launches"]), f"{each['floor_ms']:.3f}"),
            *(f"{each['least_ms']:.3f}", f"{each['measured_ms']:.3f}"),
            *("-" if each["times"] is None else f"{each['times']:.1f}", f"{each['gap_ms']:.3f}"),
        ]
        for each in found["measured"]["kinds"]
    ]
    return table(head, rows)


def _nodes(found: Found) -> str:
    """Those with the largest gaps."""
    head = ["node", "kind", "bound", "M operations", "kB", "floor ms", "measured ms", "times"]
    measured = [each for each in found["nodes"] if each["measured_ms"] is not None]
    measured.sort(key=lambda each: each["floor_ms"] - each["measured_ms"])
    rows = [
        [
            *(each["name"], each["kind"], each["bound"], f"{each['operations'] / 1e6:.1f}"),
            *(f"{each['bytes'] / 1e3:.0f}", f"{each['floor_ms']:.3f}", f"{each['measured_ms']:.3f}"),
            f"{each['measured_ms'] / each['floor_ms']:.1f}" if each["floor_ms"] else "-",
        ]
        for each in measured[:MOST_ROWS]
    ]
    return table(head, rows)
