"""What a report says beside its tables, for every form of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edge_sr.bench.report.numbers import NONE, significant
from edge_sr.bench.report.table import Table
from edge_sr.bench.schema import Report

SIMULATED = "SIMULATED: made with the tests' stand-in for TensorRT. Nothing here is a measurement."
# Last parts of fields' names, the longer first.
_UNITS = {
    **{"gb_s": "GB/s", "mib": "MiB", "mhz": "MHz"},
    **{"ms": "ms", "us": "µs", "mj": "mJ", "c": "°C", "w": "W", "s": "s"},
}


def conditions(report: Report) -> Iterator[tuple[str, str]]:
    """(name, value) of everything that the figures depend on; what nothing tells is said to be untold."""
    told = report.conditions
    yield from flat(told.machine)
    yield from flat({"gpu": told.gpu})
    yield "power mode", told.power_mode or NONE
    yield "throttling", _throttling(told.throttling)
    loads = f"{significant(told.load_average_before)} before, {significant(told.load_average_after)} after"
    yield "load average", loads
    yield from flat(told.versions)
    yield "took", f"{significant(report.seconds)} s"


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Names of inner mappings joined with a space; lists in one line."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{spoken(name)} ")
        else:
            yield f"{prefix}{spoken(name)}", plain(value)


def plain(value: Any) -> str:
    if value is None or value in ({}, [], ()):
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def before_and_after(report: Report) -> Table | None:
    """Temperatures, clocks and the like on both sides of the run."""
    before, after = dict(flat(report.conditions.before)), dict(flat(report.conditions.after))
    rows = tuple((name, before.get(name, NONE), after.get(name, NONE)) for name in {**before, **after})
    rows = tuple(row for row in rows if row[1:] != (NONE, NONE))
    return Table("Before and after the run", ("", "before", "after"), rows) if rows else None


def spoken(field: str) -> str:
    """ "temperatures_c" -> "temperatures, °C"."""
    unit = next((unit for unit in _UNITS if field == unit or field.endswith(f"_{unit}")), None)
    if unit is None:
        return field.replace("_", " ")
    name = field.removesuffix(unit).rstrip("_").replace("_", " ")
    return f"{name}, {_UNITS[unit]}" if name else _UNITS[unit]


def machine_line(report: Report) -> str:
    """The machine in a few words: "NVIDIA Jetson Orin Nano, 6 cores, 15W"."""
    told = report.conditions
    machine = told.machine
    name = machine.get("board") or machine.get("cpu_model") or machine.get("machine") or "unknown machine"
    parts = [str(name)]
    if machine.get("cores") is not None:
        parts.append(f"{machine['cores']} cores")
    if told.gpu and told.gpu.get("name"):
        parts.append(str(told.gpu["name"]))
    if told.power_mode:
        parts.append(told.power_mode)
    return ", ".join(parts)


def _throttling(reasons: tuple[str, ...] | None) -> str:
    if reasons is None:
        return f"{NONE} (nothing tells)"
    return ", ".join(reasons) if reasons else "none"
