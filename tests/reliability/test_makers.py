"""What the rig puts before the service: the same each time, and of the kinds that it claims."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.reliability.bombs import bombs
from tests.reliability.identifiers import HIDING_PLACES, MARK, planted, shown_in
from tests.reliability.mutations import MUTATIONS, SOURCES, mutant
from tests.reliability.payloads import payloads
from tests.reliability.pictures import several


def digest(made: Iterable[tuple[str, bytes]]) -> str:
    return hashlib.sha256(b"".join(content for _, content in made)).hexdigest()


def test_mutants_are_the_same_each_time_and_differ_from_their_source() -> None:
    some = [mutant(seed) for seed in range(300)]
    assert digest(some) == digest(mutant(seed) for seed in range(300))
    same = sum(content == SOURCES[seed % len(SOURCES)][1] for seed, (_, content) in enumerate(some))
    assert same < 300 // len(MUTATIONS)


def test_there_are_sixty_bombs_and_they_are_small() -> None:
    made = list(bombs())
    assert len({content for _, content in made}) == 60
    assert max(len(content) for _, content in made) < 8 << 20


def test_the_pictures_are_all_different() -> None:
    assert len({content for _, content in several(60)}) == 60


@pytest.mark.parametrize("place", range(len(HIDING_PLACES)))
def test_each_hiding_place_holds_the_name(place: int) -> None:
    name, file, content = planted(place)
    assert name in file
    assert shown_in(content)


@pytest.mark.parametrize("shift", range(3))
def test_a_name_in_base64_is_seen(shift: int) -> None:
    assert shown_in(base64.b64encode(b"-" * shift + MARK.encode() + b"SMITH"))


@pytest.mark.parametrize("text", [MARK.lower().encode(), MARK.encode("utf-16-le"), MARK.encode().hex().encode()])
def test_a_name_in_another_form_is_seen(text: bytes) -> None:
    assert shown_in(b"before " + text + b" behind")


def test_nothing_is_seen_where_nothing_is() -> None:
    assert not shown_in(b'{"event": "done", "job": "0123456789abcdef"}' * 100)


def test_a_payload_would_leave_its_mark(tmp_path: Path) -> None:
    import pickle

    mark = tmp_path / "executed"
    kind, content = next(payloads(mark))
    pickle.loads(content)
    assert mark.is_dir(), kind
