from __future__ import annotations

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
    with phases("model"):
        pass
    assert list(phases.ms) == ["decode", "model"]
    assert phases.total_ms == sum(phases.ms.values()) > 0
