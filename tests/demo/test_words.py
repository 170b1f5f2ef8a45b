"""edge_sr/demo/words.py: what is not understood is told, not guessed."""

from __future__ import annotations

import pytest

from edge_sr.demo.declined import Declined
from edge_sr.demo.desk import Wish
from edge_sr.demo.words import flag, name_of, whole_number, wish_of


def test_a_wish_is_read() -> None:
    words = {"model": "fast", "steps": "4", "fidelity": "0.25", "seed": "9007199254740991"}
    assert wish_of(words) == Wish("fast", 4, 0.25, 2**53 - 1)
    assert wish_of({}) == Wish()


@pytest.mark.parametrize("text", ["", "-1", "1e3", "nan", "inf", "0x1", " 1", "1.5", "11", "٣", "1" * 40])
def test_what_is_no_whole_number_in_range_is_declined(text: str) -> None:
    with pytest.raises(Declined, match="out of range") as caught:
        whole_number({"sample": text}, "sample", 0, 10)
    assert caught.value.status == 400


def test_flags_and_names_are_strict() -> None:
    assert flag({"reduce": "1"}, "reduce") and not flag({}, "reduce")
    for read, words in ((flag, {"x": "yes"}), (name_of, {"x": "../etc"}), (name_of, {"x": "a" * 65})):
        with pytest.raises(Declined, match="not understood"):
            read(words, "x")
