"""Figures in words: as many digits as they are worth, and the same everywhere."""

from __future__ import annotations

NONE = "–"  # not measured


def significant(value: float | None, digits: int = 3) -> str:
    """4.213 -> "4.21", 1234.5 -> "1,234" (never cut before the point), 0.00123 -> "0.00123"."""
    if value is None:
        return NONE
    if value == 0:
        return "0"
    behind = digits - 1 - _magnitude(value, digits)
    return f"{value:,.{max(behind, 0)}f}"


def fixed(value: float | None, places: int, *, sign: bool = False) -> str:
    """sign: + before what is above 0."""
    if value is None:
        return NONE
    told = f"{value:{'+' if sign else ''},.{places}f}"
    return told.lstrip("+-") if float(told.replace(",", "")) == 0 else told  # no -0.00


def whole(value: int | None) -> str:
    return NONE if value is None else f"{value:,}"


def mib(size: int | None) -> str:
    """Bytes in MiB."""
    return NONE if size is None else significant(size / 2**20)


def share(part: float) -> str:
    return f"{100 * part:.1f} %"


def _magnitude(value: float, digits: int) -> int:
    """The power of ten of the first digit, after rounding: 1 for 99.4, 2 for 99.96 at three digits."""
    return int(f"{value:.{digits - 1}e}".partition("e")[2])
