from __future__ import annotations

import os
from itertools import islice

import pytest

from edge_sr.service.naming import beside, escaped, output_stems, stem_of_output

KEY = "0123456789abcdef" * 4


def stems(name: str, count: int = 3) -> list[str]:
    return list(islice(output_stems(name, KEY), count))


def test_the_first_choice_is_the_plain_name() -> None:
    assert stems("chest.png") == ["chest_x4", "chest_x4.01234567", "chest_x4.01234567-2"]


@pytest.mark.parametrize("name", ["chest", "chest.tar.gz", "-rf.png", "a b\n.png", "ä.png", os.fsdecode(b"\xff.png")])
def test_a_stem_is_found_again(name: str) -> None:
    expected = name.rpartition(".")[0] or name
    assert [stem_of_output(stem) for stem in stems(name)] == [(expected, False)] * 3


@pytest.mark.parametrize("letter", ["a", "ä", "字", os.fsdecode(b"\xff")])
def test_a_name_of_the_greatest_length_is_cut_between_characters(letter: str) -> None:
    name = letter * (251 // len(os.fsencode(letter))) + ".png"
    for stem in stems(name):
        assert len(os.fsencode(stem + ".json")) <= 255 and "~01234567" in stem
        start, cut = stem_of_output(stem)
        assert cut and name.startswith(start) and len(os.fsencode(start)) > 225


def test_long_names_of_one_beginning_keep_apart_by_their_keys() -> None:
    assert next(output_stems("a" * 255, KEY)) != next(output_stems("a" * 255, KEY[::-1]))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.png", "a.mark.png"),
        ("a", "a.mark"),
        ("-a.b.c", "-a.b.mark.c"),
        ("x." + "y" * 40, "x." + "y" * 40 + ".mark"),
    ],
)
def test_a_mark_stands_before_the_suffix(name: str, expected: str) -> None:
    assert beside(name, "mark") == expected


def test_a_mark_fits_into_the_longest_name() -> None:
    assert beside("a" * 251 + ".png", "mark") == "a" * 246 + ".mark.png"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ä 1.png", "Ä 1.png"),
        ("a\nb\x1b[2J", "a\\nb\\x1b[2J"),
        (os.fsdecode(b"\xff"), "\\xff"),
        ("a\\n", "a\\\\n"),
        ("\u202e", "\\u202e"),
    ],
)
def test_names_are_printed_on_one_line_and_command_no_terminal(name: str, shown: str) -> None:
    assert escaped(name) == shown
