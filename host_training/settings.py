"""Tables of a configuration as dataclasses, so that a slip of the pen is told before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar

from edge_sr.errors import UsageError

T = TypeVar("T")

KINDS = {"bool": (bool,), "int": (int,), "float": (int, float), "str": (str,)}  # a field's annotation: TOML's values


def table_as(kind: type[T], settings: Mapping[str, Any], name: str) -> T:
    """The table ``name`` of a configuration as this dataclass of plain values; a missing table is an empty one.

    UsageError for a key that the dataclass does not know or lacks, and for a value of another type than its field's.
    """
    table, where = settings.get(name, {}), f"[{name}]"
    if not isinstance(table, Mapping):
        raise UsageError(f"{name} = {table!r}", expected=f"a table, {where}")
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    for key, value in table.items():
        if key not in known:
            raise UsageError(f"no such key: {key}", where=where, expected=", ".join(known))
        if type(value) not in KINDS[str(known[key].type)]:
            raise UsageError(f"{key} = {value!r}", where=where, expected=str(known[key].type))
    if missing := [key for key, field in known.items() if field.default is MISSING and key not in table]:
        raise UsageError(f"no {missing[0]}", where=where)
    return kind(**table)


def only_tables(settings: Mapping[str, Any], *known: str) -> None:
    """UsageError for a table that the training does not read."""
    for name in settings:
        if name not in known:
            raise UsageError(f"no such table: [{name}]", expected=", ".join(f"[{each}]" for each in known))
