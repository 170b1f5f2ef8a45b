"""Reading JSON that somebody else wrote: nothing is guessed, and every refusal names the field it is about."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from edge_sr.errors import IntegrityError

MAX_JSON_BYTES = 1 << 20
MAX_JSON_DEPTH = 16


def parse_json(content: bytes, where: object, *, most_bytes: int = MAX_JSON_BYTES) -> object:
    """Strict JSON: UTF-8, at most 1 MiB and 16 levels, no duplicate key, no NaN or infinity. Raises IntegrityError."""
    if len(content) > most_bytes:
        raise IntegrityError(f"{len(content):,} bytes long", where=where, expected=f"at most {most_bytes:,}")
    try:
        value: object = json.loads(
            content.decode(), object_pairs_hook=_unique, parse_constant=_not_finite, parse_float=_finite
        )
        _limit_depth(value, MAX_JSON_DEPTH)
    except RecursionError:
        raise IntegrityError("nested too deep", where=where, expected=f"at most {MAX_JSON_DEPTH} levels") from None
    except ValueError as error:
        raise IntegrityError(f"not the JSON of edge-sr: {error}", where=where) from error
    return value


class Fields:
    """One JSON object and where it stands; each method takes one field and raises IntegrityError where it is unfit."""

    def __init__(self, raw: object, prefix: str) -> None:
        if not isinstance(raw, dict):
            raise IntegrityError(f"got {short(raw)}", where=prefix.rstrip(":. "), expected="a JSON object")
        self.raw = raw
        self.prefix = prefix

    def unfit(self, name: str, value: object, expected: str, hint: str = "") -> IntegrityError:
        return IntegrityError(f"got {short(value)}", where=self.prefix + name, expected=expected, hint=hint)

    def only(self, names: Iterable[str]) -> None:
        if unknown := sorted(set(self.raw) - set(names)):
            raise IntegrityError("unknown field", where=self.prefix + unknown[0], expected=", ".join(names))

    def take(self, name: str, expected: str, fits: Callable[[Any], object]) -> Any:
        if name not in self.raw:
            raise IntegrityError("field is missing", where=self.prefix + name, expected=expected)
        value = self.raw[name]
        if not fits(value):
            raise self.unfit(name, value, expected)
        return value

    def child(self, name: str) -> Fields:
        return Fields(self.take(name, "a JSON object", lambda value: True), f"{self.prefix}{name}.")

    def integer(self, name: str, low: int, high: int) -> int:
        rule = f"an integer from {low} to {high}"
        return int(self.take(name, rule, lambda value: type(value) is int and low <= value <= high))

    def number(self, name: str, low: float, high: float) -> float:
        rule = f"a number from {low:g} to {high:g}"
        return float(self.take(name, rule, lambda value: type(value) in (int, float) and low <= value <= high))

    def text(self, name: str) -> str:
        rule = "one line of 1 to 2000 printable characters"
        return str(self.take(name, rule, lambda v: isinstance(v, str) and 0 < len(v) <= 2000 and v.isprintable()))

    def matching(self, name: str, pattern: re.Pattern[str], expected: str) -> str:
        return str(self.take(name, expected, lambda v: isinstance(v, str) and len(v) < 256 and pattern.fullmatch(v)))

    def choice(self, name: str, choices: tuple[Any, ...]) -> Any:
        rule = " or ".join(map(str, choices))
        return self.take(name, rule, lambda value: any(type(value) is type(c) and value == c for c in choices))


def short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(n for n in names if names.count(n) > 1)!a} stands twice")
    return fields


def _not_finite(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:30]} is too large")
    return value


def _limit_depth(value: object, left: int) -> None:
    if not isinstance(value, (dict, list)):
        return
    if left == 0:
        raise ValueError(f"nested deeper than {MAX_JSON_DEPTH} levels")
    for child in value.values() if isinstance(value, dict) else value:
        _limit_depth(child, left - 1)
