"""edge_sr/demo/turns.py: one at a time, in order, and who leaves holds nobody up."""

from __future__ import annotations

import asyncio

import pytest

from edge_sr.demo.declined import Declined
from edge_sr.demo.turns import Turns


def test_the_first_is_called_and_the_second_waits() -> None:
    async def both() -> tuple[bool, bool]:
        turns = Turns(2)
        first, second = turns.join("a"), turns.join("b")
        return first.called.done(), second.called.done()

    assert asyncio.run(both()) == (True, False)


def test_each_knows_how_many_come_before() -> None:
    async def places() -> list[int | None]:
        turns = Turns(3)
        for name in "abc":
            turns.join(name)
        return [turns.before(name) for name in "abcx"]

    assert asyncio.run(places()) == [0, 1, 2, None]


def test_who_leaves_while_waiting_holds_nobody_up() -> None:
    async def third_is_called() -> bool:
        turns = Turns(3)
        first, second, third = (turns.join(name) for name in "abc")
        turns.leave(second)
        turns.leave(first)
        return third.called.done()

    assert asyncio.run(third_is_called())


def test_seats_are_counted_and_given_back() -> None:
    turns = Turns(1)
    with turns.seat():
        with pytest.raises(Declined, match="too many") as caught, turns.seat():
            pass
        assert caught.value.status == 503
    with turns.seat():
        pass
