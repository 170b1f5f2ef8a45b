"""Tables of a configuration: every slip of the pen is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from edge_sr.errors import UsageError
from host_training.settings import only_tables, table_as


@dataclass(frozen=True)
class Plan:
    steps: int
    rate: float = 0.1
    name: str = ""
    fast: bool = False


def test_a_table_becomes_a_dataclass() -> None:
    assert table_as(Plan, {"plan": {"steps": 3, "rate": 1, "fast": True}}, "plan") == Plan(3, rate=1, fast=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"plan": {"steps": 3, "rat": 0.1}}, r"^\[plan\]: no such key: rat; expected steps, rate, name, fast$"),
        ({"plan": {}}, r"^\[plan\]: no steps$"),
        ({}, r"^\[plan\]: no steps$"),
        ({"plan": {"steps": 3.5}}, r"^\[plan\]: steps = 3.5; expected int$"),
        ({"plan": {"steps": True}}, "steps = True; expected int"),
        ({"plan": {"steps": 3, "fast": 1}}, "fast = 1; expected bool"),
        ({"plan": {"steps": 3, "name": 1}}, "name = 1; expected str"),
        ({"plan": 3}, r"^plan = 3; expected a table, \[plan\]$"),
    ],
)
def test_a_slip_is_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        table_as(Plan, settings, "plan")


def test_a_table_that_nobody_reads_is_named() -> None:
    only_tables({"plan": {}}, "plan", "loss")
    with pytest.raises(UsageError, match=r"no such table: \[plam\]; expected \[plan\], \[loss\]"):
        only_tables({"plam": {}}, "plan", "loss")
