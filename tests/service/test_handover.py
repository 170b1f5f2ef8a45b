"""From stage to stage: what is let in, what is taken together, and how it ends."""

from __future__ import annotations

import threading

from edge_sr.service.handover import HandOver

MANY = 1 << 40


def test_taken_in_order_and_no_more_than_asked() -> None:
    queue: HandOver[str] = HandOver(most=4, room=MANY)
    for name in "abc":
        queue.give(name, 1)
    assert queue.take(2, MANY) == ["a", "b"]
    assert queue.take(2, MANY) == ["c"]  # and not waiting for another


def test_small_ones_are_taken_together_and_a_large_one_alone() -> None:
    queue: HandOver[str] = HandOver(most=4, room=MANY)
    for name, pixels in (("large", 100), ("small", 1), ("small too", 1), ("large too", 100)):
        queue.give(name, pixels)
    assert [queue.take(4, 10) for _ in range(3)] == [["large"], ["small", "small too"], ["large too"]]


def test_the_giver_waits_for_room() -> None:
    queue: HandOver[str] = HandOver(most=4, room=10)
    queue.give("large", 100)  # more than the room, and nothing waits
    giver = threading.Thread(target=queue.give, args=("next", 1), daemon=True)
    giver.start()
    giver.join(0.05)
    assert giver.is_alive()
    assert queue.take(4, MANY) == ["large"]
    giver.join(5)
    assert queue.take(4, MANY) == ["next"]


def test_closed_lets_nothing_in_and_gives_out_what_is_there() -> None:
    queue: HandOver[str] = HandOver(most=4, room=MANY)
    assert queue.give("in time", 1)
    queue.close()
    assert not queue.give("late", 1)
    assert [queue.take(1, MANY), queue.take(1, MANY)] == [["in time"], []]


def test_closing_wakes_a_giver_that_waits() -> None:
    queue: HandOver[str] = HandOver(most=1, room=MANY)
    queue.give("first", 1)
    answers: list[bool] = []
    giver = threading.Thread(target=lambda: answers.append(queue.give("second", 1)), daemon=True)
    giver.start()
    queue.close()
    giver.join(5)
    assert answers == [False]


def test_what_waits_can_be_taken_back() -> None:
    queue: HandOver[str] = HandOver(most=4, room=MANY)
    queue.give("a", 1)
    queue.close()
    assert queue.take_back() == ["a"] and queue.take(1, MANY) == []
