"""What ``edge_sr.bench.roofline`` found, as tables: predicted floors, and where measured times lie above them.

A report holds it as plain JSON, so nothing here relies on a field: what is missing is left out, what is new is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge_sr.bench.report.numbers import NONE, fixed, significant, whole
from edge_sr.bench.report.table import Table, only_filled
from edge_sr.bench.report.words import plain, spoken

PREDICTION = (
    "PREDICTION, no measurement: the least time that the device's greatest rates allow, counted from the graph."
)


@dataclass(frozen=True)
class Prediction:
    """One graph on one device. kinds: measured beside floors, () where nothing was measured."""

    title: str
    summary: Table
    device: Table
    stages: Table | None
    kinds: Table | None
    nodes: Table | None
    gaps: tuple[tuple[str, float, float], ...]  # kind, floor and measured, ms


def predictions(raw: Mapping[str, Any], name: str = "") -> Iterator[Prediction]:
    """Of one roofline, or of several by name."""
    if "floor_ms" in raw:
        yield _prediction(raw, name)
        return
    for key, value in raw.items():
        if isinstance(value, Mapping):
            yield from predictions(value, key)


def _prediction(raw: Mapping[str, Any], name: str) -> Prediction:
    device, measured = (_mapping(raw.get(name)) for name in ("device", "measured"))
    of = str(device.get("title") or device.get("name") or "device")
    title = name or f"{raw.get('graph', 'graph')}, {raw.get('precision', '')} on {of}"
    facts = {**_scalars(raw), **{f"measured {key}": value for key, value in _scalars(measured).items()}}
    rates = {f"10^12 operations/s, {key}": value for key, value in _mapping(device.get("tops")).items()}
    sources = {f"source of {spoken(key)}": value for key, value in _mapping(device.get("sources")).items()}
    kinds = _records(measured.get("kinds"))
    return Prediction(
        title=title,
        summary=_facts(f"Predicted: {title}", facts),
        device=_facts(f"What is taken of {of}", {**_scalars(device), **rates, **sources}),
        stages=_listed(_records(raw.get("stages")), "Floor by stage"),
        kinds=_listed(kinds, "Gap by kind of node, the largest first"),
        nodes=_listed(_records(raw.get("nodes")), "Floor node by node"),
        gaps=tuple(_gaps(kinds)),
    )


def _facts(title: str, facts: Mapping[str, Any]) -> Table:
    return Table(title, ("what", "value"), tuple((spoken(key), told(value, key)) for key, value in facts.items()))


def _gaps(kinds: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, float, float]]:
    for each in kinds:
        floor, measured = each.get("floor_ms"), each.get("measured_ms")
        if isinstance(floor, (int, float)) and isinstance(measured, (int, float)):
            yield str(each.get("kind", "")), float(floor), float(measured)


def told(value: Any, name: str = "") -> str:
    """A number with as many digits as it is worth; parts of a whole, by name, as per cent."""
    if isinstance(value, bool) or value is None:
        return plain(value)
    if isinstance(value, int):
        return whole(value)
    if isinstance(value, float):
        return f"{fixed(100 * value, 1)} %" if name.endswith("share") else significant(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{spoken(key)} {told(each, key)}" for key, each in value.items()) or NONE
    if isinstance(value, (list, tuple)):
        return ", ".join(told(each) for each in value) or NONE
    return str(value)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _records(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, (list, tuple)) else []


def _scalars(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in raw.items() if not isinstance(value, Mapping) and not _records(value)}


def _listed(records: Sequence[Mapping[str, Any]], title: str) -> Table | None:
    """nodes: the names of the nodes of one launch; its own name says enough."""
    if not records:
        return None
    names = [name for name in dict.fromkeys(name for record in records for name in record) if name != "nodes"]
    rows = tuple(tuple(told(record.get(name), name) for name in names) for record in records)
    return only_filled(Table(title, tuple(map(spoken, names)), rows))
