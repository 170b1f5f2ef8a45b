from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

import edge_sr.image
from edge_sr.image.refusals import REASONS, Refused, refusal_of


def test_numbers_and_the_files_name_come_into_the_words() -> None:
    refused = Refused("too-large", 9, 8, 70, where="a.png")
    assert str(refused) == "a.png: 9x8 is too large; expected at most 70 pixels"
    assert Refused("transparent", where="a.png").hint.startswith("magick a.png -background")


def test_the_detail_stands_in_the_message_alone() -> None:
    refused = Refused("damaged", detail="of the library")
    assert refused.what == "the picture is damaged or truncated (of the library)"
    assert str(refusal_of(refused.code, refused.numbers)) == "the picture is damaged or truncated"


def test_it_survives_a_pool() -> None:
    refused = pickle.loads(pickle.dumps(Refused("too-small", 1, 2, 8, where="a.png")))
    assert (str(refused), refused.code, refused.numbers) == (
        "a.png: 1x2 is too small; expected sides of at least 8",
        "too-small",
        (1, 2, 8),
    )


def test_every_reason_is_given_somewhere_and_every_one_given_is_known() -> None:
    sources = Path(edge_sr.image.__file__).parent.glob("*.py")
    text = " ".join(path.read_text("utf-8") for path in sources)
    given = {code for words in re.findall(r"[Rr]efused\(([^)]*)", text) for code in re.findall(r'"([a-z-]+)"', words)}
    assert given == set(REASONS)


@pytest.mark.parametrize(
    ("code", "numbers"),
    [
        ("none of ours", []),
        (None, []),
        ([], []),
        ("too-small", [1, 2]),
        ("too-small", [1, 2, "8"]),
        ("too-small", [1, 2, 8.5]),
        ("too-small", [1, 2, True]),
        ("too-small", [1, 2, -8]),
        ("too-small", [1, 2, 1 << 64]),
    ],
)
def test_what_is_no_refusal_of_ours_is_none(code: object, numbers: list[object]) -> None:
    assert refusal_of(code, numbers) is None
