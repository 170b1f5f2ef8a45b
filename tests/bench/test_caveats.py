from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge_sr.bench.caveats import caveats
from edge_sr.bench.schema import Conditions, Opening, Variant, WarmUp
from tests.bench.reports import CONDITIONS, TIMES, VARIANT


def told(conditions: Conditions = CONDITIONS, **changes: Any) -> list[str]:
    return list(caveats(conditions, [replace(VARIANT, **changes)]))


def test_a_clean_run_has_none() -> None:
    assert told() == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"throttling": ("cpu 1",)}, "held down"),
        ({"load_average_before": 3.0}, "busy before the start"),
        ({"after": {"clocks_mhz": {"cpu0": 800.0}}}, "-20% at the end"),
    ],
)
def test_what_is_wrong_with_the_machine_is_told(changes: dict[str, Any], words: str) -> None:
    (line,) = told(replace(CONDITIONS, **changes))
    assert words in line


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"latency": replace(TIMES, calls=9)}, "only 9 calls"),
        ({"latency": replace(TIMES, cv=0.6)}, "scatter by 60%"),
        ({"opening": Opening(1.0, 1.0, WarmUp(40, 20.0, False))}, "never settled"),
        ({"outside_session_ms": 4.0}, "host-bound, 4.00 of 5.00 ms"),
        ({"asked": "fp16"}, "fp16 was asked for and the engine is int8"),
    ],
)
def test_what_is_wrong_with_a_variant_is_told_with_its_name(changes: dict[str, Any], words: str) -> None:
    (line,) = told(**changes)
    assert line.startswith("tiny int8: ") and words in line


def test_interpolation_is_not_said_to_be_host_bound() -> None:
    assert told(bundle=None, outside_session_ms=4.0) == []


def test_few_readings_of_power_are_told() -> None:
    assert VARIANT.energy is not None
    (line,) = told(energy=replace(VARIANT.energy, readings=2))
    assert "2 readings" in line


def test_variants_are_told_in_their_order() -> None:
    variants: list[Variant] = [replace(VARIANT, title=name, asked="fp16") for name in "ab"]
    assert [line[0] for line in caveats(CONDITIONS, variants)] == ["a", "b"]
