from __future__ import annotations

import pytest

from edge_sr.timing import Phases, side_by_side


def test_calls_are_taken_in_turn_and_warm_ups_do_not_count() -> None:
    order: list[str] = []
    medians = side_by_side({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=3, warmup=2)
    assert order == ["a", "b"] * 5
    assert list(medians) == ["a", "b"] and all(ms >= 0 for ms in medians.values())


def test_phases_add_up() -> None:
    phases = Phases()
    for _ in range(2):
        with phases("decode"):
            pass
    with phases("compute"):
        pass
    assert list(phases.ms) == ["decode", "compute"]
    assert phases.total_ms == sum(phases.ms.values()) > 0


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({}, {"compute": 10.0}),
        ({"compute": 9.0}, {"queue": 1.0, "compute": 9.0}),
        (
            {"copy_out": 1.0, "compute": 6.0, "copy_in": 2.0},
            {"queue": 1.0, "copy_in": 2.0, "compute": 6.0, "copy_out": 1.0},
        ),
        ({"compute": 11.0}, {"queue": 0.0, "compute": 11.0}),  # by another clock than ours
    ],
)
def test_what_no_part_of_a_call_explains_is_queue(parts: dict[str, float], expected: dict[str, float]) -> None:
    phases = Phases()
    phases.add_call(10.0, parts)
    assert list(phases.ms.items()) == list(expected.items())
