"""edge_sr/demo/shelf.py: the newest stay, bounded by count and by bytes."""

from __future__ import annotations

import pytest

from edge_sr.demo.declined import Declined
from edge_sr.demo.shelf import Shelf


def test_what_was_not_asked_for_the_longest_goes_first() -> None:
    shelf: Shelf[str] = Shelf("picture", most=2, most_bytes=100)
    first, second = shelf.put("a", 1), shelf.put("b", 1)
    shelf.take(first)
    shelf.put("c", 1)
    assert shelf.take(first) == "a"
    with pytest.raises(Declined, match="kept no longer") as caught:
        shelf.take(second)
    assert (caught.value.status, caught.value.code) == (404, "gone")


def test_bytes_are_bounded_and_the_newest_stays_however_large() -> None:
    shelf: Shelf[str] = Shelf("result", most=9, most_bytes=10)
    for name in "abc":
        shelf.put(name, 4)
    assert len(shelf) == 2
    large = shelf.put("large", 1000)
    assert (len(shelf), shelf.take(large)) == (1, "large")


def test_a_name_cannot_be_guessed() -> None:
    shelf: Shelf[int] = Shelf("picture", most=99, most_bytes=99)
    names = {shelf.put(number, 1) for number in range(50)}
    assert len(names) == 50 and min(map(len, names)) >= 16
