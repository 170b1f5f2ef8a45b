"""The words behind the question mark of a request, read strictly: what is not understood is told and not guessed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from edge_sr.demo.declined import Declined
from edge_sr.demo.desk import Wish

_NUMBER = re.compile(r"[0-9]{1,16}(\.[0-9]{1,16})?")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def whole_number(words: Mapping[str, str], name: str, low: int, high: int) -> int | None:
    """None where it is not given. Declined where it is no whole number from low to high."""
    value = fraction(words, name, low, high)
    if value is not None and not value.is_integer():
        raise _unfit(name, low, high)
    return None if value is None else int(words[name].partition(".")[0])


def fraction(words: Mapping[str, str], name: str, low: float, high: float) -> float | None:
    """None where it is not given. Declined where it is no number from low to high."""
    text = words.get(name)
    if text is None:
        return None
    if not _NUMBER.fullmatch(text) or math.isnan(float(text)) or not low <= float(text) <= high:
        raise _unfit(name, low, high)
    return float(text)


def flag(words: Mapping[str, str], name: str) -> bool:
    if words.get(name, "0") not in ("0", "1"):
        raise Declined(400, f"{name} is not understood", expected="0 or 1")
    return words.get(name) == "1"


def name_of(words: Mapping[str, str], name: str) -> str | None:
    """A name that was given out here, or one that the page chose. Declined where it can be neither."""
    text = words.get(name)
    if text is not None and not _NAME.fullmatch(text):
        raise Declined(400, f"{name} is not understood", expected="letters, digits, - and _")
    return text


def wish_of(words: Mapping[str, str]) -> Wish:
    return Wish(
        model=name_of(words, "model"),
        steps=whole_number(words, "steps", 1, 10_000),
        fidelity=fraction(words, "fidelity", 0, 1),
        seed=whole_number(words, "seed", 0, 2**53 - 1),
    )


def _unfit(name: str, low: float, high: float) -> Declined:
    return Declined(400, f"{name} is out of range or no number", expected=f"{low:g} to {high:g}")
