"""``p50=5%,psnr=0.05dB``: by how much a figure may become worse."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from edge_sr.bench.report.figures import BY_NAME, Figure
from edge_sr.errors import UsageError

EXAMPLE = "p50=5%,psnr=0.05dB"
_LIMIT = re.compile(r"([a-z0-9_]+)\s*=\s*([0-9.]+(?:e-?[0-9]+)?)\s*(%|[A-Za-z/]*)", re.IGNORECASE)
_UNITS = {
    "pictures/s": ("/s",),
    "grey levels": (),
    "J": ("J",),
    "": (),
}  # that may stand behind, beside %; else its own


@dataclass(frozen=True)
class Limit:
    """value: in per cent of the baseline where relative, else in the figure's unit."""

    figure: Figure
    value: float
    relative: bool

    def __str__(self) -> str:
        if self.relative:
            return f"{self.value:g} %"
        return f"{self.value:g} {self.figure.unit}".rstrip()

    def allows(self, baseline: float, now: float) -> bool:
        """Whether ``now`` is no more than the limit worse than ``baseline``."""
        worse = baseline - now if self.figure.more_is_better else now - baseline
        most = abs(baseline) * self.value / 100 if self.relative else self.value
        return worse <= most * (1 + 1e-9) + 1e-12


Limits = Mapping[str, Limit]


def parse_limits(text: str, *, where: str = "--max-regress") -> Limits:
    """Limits by the figure's name. UsageError for what is unknown, misspelt, said twice or in a foreign unit."""
    limits: dict[str, Limit] = {}
    for part in text.split(","):
        limit = _parse(part.strip(), where)
        if limit.figure.name in limits:
            raise UsageError(f"{limit.figure.name} stands twice", where=where)
        limits[limit.figure.name] = limit
    return limits


def _parse(part: str, where: str) -> Limit:
    found = _LIMIT.fullmatch(part)
    value = _number(found[2]) if found else None
    if found is None or value is None:
        raise UsageError(f"cannot read {part!r}", where=where, expected="name=number and a unit", hint=EXAMPLE)
    name, unit = found[1].lower(), found[3]
    if name not in BY_NAME:
        near = difflib.get_close_matches(name, BY_NAME, n=1)
        hint = f"{near[0]}={found[2]}{unit}" if near else EXAMPLE
        raise UsageError(f"no figure is named {name!r}", where=where, expected=", ".join(BY_NAME), hint=hint)
    figure = BY_NAME[name]
    if unit != "%" and unit.lower() not in {each.lower() for each in _units(figure)}:
        units = [f"{name}={found[2]}{each}" for each in ("%", *_units(figure)) if each]
        raise UsageError(f"{name} has no unit {unit!r}", where=where, expected=" or ".join(units))
    return Limit(figure, value, unit == "%")


def _units(figure: Figure) -> tuple[str, ...]:
    """ "" too: the figure's own unit is meant, which only a per cent can be mistaken for."""
    return (*_UNITS.get(figure.unit, (figure.unit,)), "")


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
