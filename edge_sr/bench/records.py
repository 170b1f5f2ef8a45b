"""Frozen dataclasses from JSON, strictly, and back: the fields' types say what may stand there."""

from __future__ import annotations

import dataclasses
import json
import math
import types
from collections.abc import Mapping
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from edge_sr.artifacts.strict_json import Fields, short
from edge_sr.errors import IntegrityError

T = TypeVar("T")


def as_json(record: Any) -> dict[str, Any]:
    """What ``from_json`` reads back to an equal record. ValueError for a number that is not finite."""
    return plain(dataclasses.asdict(record))


def plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON has it: tuples become lists."""
    read_back: dict[str, Any] = json.loads(json.dumps(fields, allow_nan=False))
    return read_back


def from_json(kind: type[T], raw: object, where: object) -> T:
    """A record of the dataclass ``kind``. Fields that have a default may be missing, and no other may be there.

    Fields may be bool, int, float (an integer serves), str, Any, dataclasses, ``X | None``, ``tuple[X, ...]``,
    ``tuple[X, Y]`` and ``Mapping[str, X]``. IntegrityError names the field, what stands there and what would fit.
    """
    record: T = _record(kind, raw, f"{where}: ")
    return record


def _record(kind: Any, raw: object, prefix: str) -> Any:
    fields, hints = Fields(raw, prefix), get_type_hints(kind)
    declared = dataclasses.fields(kind)
    fields.only([field.name for field in declared])
    values = {}
    for field in declared:
        if field.name in fields.raw:
            values[field.name] = _value(hints[field.name], fields.raw[field.name], prefix + field.name)
        elif field.default is field.default_factory is dataclasses.MISSING:
            raise IntegrityError("field is missing", where=prefix + field.name, expected=_told(hints[field.name]))
    return kind(**values)


def _value(kind: Any, raw: Any, where: str) -> Any:
    if kind is Any:
        return raw
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        (inner,) = (each for each in arguments if each is not type(None))
        return None if raw is None else _value(inner, raw, where)
    if origin is tuple:
        return _items(arguments, raw, where)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(raw, dict):
            raise _unfit(raw, where, "a JSON object")
        return {name: _value(arguments[1], each, f"{where}.{name}") for name, each in raw.items()}
    if dataclasses.is_dataclass(kind):
        return _record(kind, raw, f"{where}.")
    return _plain(kind, raw, where)


def _items(arguments: tuple[Any, ...], raw: object, where: str) -> tuple[Any, ...]:
    if not isinstance(raw, list):
        raise _unfit(raw, where, "a list")
    kinds = [arguments[0]] * len(raw) if arguments[-1] is Ellipsis else list(arguments)
    if len(kinds) != len(raw):
        raise _unfit(raw, where, f"a list of {len(kinds)}")
    return tuple(_value(kind, each, f"{where}[{n}]") for n, (kind, each) in enumerate(zip(kinds, raw, strict=True)))


def _plain(kind: Any, raw: Any, where: str) -> Any:
    if kind is float and type(raw) in (int, float) and math.isfinite(raw):
        return float(raw)
    if kind is not float and type(raw) is kind:
        return raw
    raise _unfit(raw, where, _told(kind))


def _unfit(raw: object, where: str, expected: str) -> IntegrityError:
    return IntegrityError(f"got {short(raw)}", where=where, expected=expected)


_WORDS = {bool: "true or false", int: "an integer", float: "a number", str: "a string"}


def _told(kind: Any) -> str:
    """What fits, in words."""
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join("null" if each is type(None) else _told(each) for each in get_args(kind))
    return _WORDS.get(kind, "a list" if get_origin(kind) is tuple else "a JSON object")
