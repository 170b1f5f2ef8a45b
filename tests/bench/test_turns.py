from __future__ import annotations

from edge_sr.bench.turns import Timed, in_turns
from edge_sr.timing import Phases


def calls_of(names: str, order: list[str]) -> list[Timed]:
    """One call for each letter; it writes itself down."""

    def named(name: str) -> Timed:
        return Timed(lambda phases: order.append(name))

    return [named(name) for name in names]


def test_every_round_gives_each_its_turn_and_begins_with_another_one() -> None:
    order: list[str] = []
    in_turns(calls_of("abc", order), seconds=0, rounds=3, least=1)
    assert "".join(order) == "aabbcc" + "bbccaa" + "ccaabb"


def test_the_first_call_of_a_turn_does_not_count() -> None:
    calls = calls_of("ab", [])
    in_turns(calls, seconds=0, rounds=4, least=3)
    assert [len(call.taken_ms) for call in calls] == [12, 12]
    assert [len(call.phases) for call in calls] == [12, 12]


def test_a_turn_lasts_its_share_of_the_time() -> None:
    ticks = iter(range(1000))
    (call,) = calls_of("a", [])
    in_turns([call], seconds=20, rounds=2, least=1, clock=lambda: float(next(ticks)))
    assert 2 * 8 <= len(call.taken_ms) <= 2 * 10  # the clock moves by a second at each look


def test_nothing_to_call_is_no_fault() -> None:
    in_turns([], seconds=1, rounds=1)


def test_a_call_keeps_the_phases_of_its_work() -> None:
    def work(phases: Phases) -> None:
        phases.add("compute", 2.0)

    call = Timed(work)
    call()
    call()
    call.forget(1)
    assert call.phases == [{"compute": 2.0}] and len(call.taken_ms) == 1
    call.forget()
    assert call.phases == [] == call.taken_ms
