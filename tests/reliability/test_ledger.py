"""What the ledger and the reader must find, in spools that are spoilt by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reliability.ledger import Ledger
from tests.reliability.pictures import png, sha256
from tests.reliability.reader import Reader

RESULT = png(1, 256, 256)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Of one picture that went through, as the service leaves it."""
    spool = tmp_path / "spool"
    for name in ("incoming", "work", "outgoing", "done", "quarantine", "state"):
        (spool / name).mkdir(parents=True)
    ledger = Ledger(spool)
    ledger.give("a.png", png(0)).rename(spool / "done" / "a.png")
    publish(spool, "a_x4")
    return ledger


def publish(spool: Path, stem: str) -> None:
    (spool / "outgoing" / f"{stem}.json").write_text(json.dumps({"output_sha256": sha256(RESULT)}))
    (spool / "outgoing" / f"{stem}.png").write_bytes(RESULT)


def reference() -> dict[str, str]:
    return {sha256(png(0)): sha256(RESULT)}


def test_a_sound_spool_has_no_fault(ledger: Ledger) -> None:
    assert list(ledger.faults(reference())) == []


def lose(spool: Path) -> None:
    for suffix in (".png", ".json"):
        (spool / "outgoing" / f"a_x4{suffix}").unlink()


SPOILT: dict[str, Callable[[Path], object]] = {
    "lost": lose,
    "duplicated": lambda spool: publish(spool, "a_x4.0123abcd"),
    "torn": lambda spool: (spool / "outgoing" / "a_x4.png").write_bytes(RESULT[:-1]),
    "sidecar tells": lambda spool: (spool / "outgoing" / "a_x4.png").write_bytes(png(2, 256, 256)),
    "without its sidecar": lambda spool: (spool / "outgoing" / "a_x4.json").unlink(),
    "times in done": lambda spool: (spool / "done" / "a.png").unlink(),
    "changed on its way": lambda spool: (spool / "done" / "a.png").write_bytes(png(9)),
    "stray": lambda spool: (spool / "outgoing" / ".x.png.part").touch(),
    "left in work": lambda spool: (spool / "work" / ("0" * 32)).mkdir(),
    "left in incoming": lambda spool: (spool / "incoming" / "b.png").touch(),
    "left in quarantine": lambda spool: (spool / "quarantine" / ("0" * 32)).mkdir(),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_a_spoilt_spool_is_seen(ledger: Ledger, fault: str) -> None:
    SPOILT[fault](ledger.spool)
    assert any(fault in each for each in ledger.faults(reference()))


def test_a_result_of_other_bits_is_seen(ledger: Ledger) -> None:
    assert any("differing" in each for each in ledger.faults({sha256(png(0)): "0" * 64}))


@pytest.mark.parametrize("content", [RESULT[:100], png(3, 256, 256)], ids=["half", "another"])
def test_the_reader_sees_a_picture_that_is_not_the_sidecars(ledger: Ledger, content: bytes) -> None:
    (ledger.spool / "outgoing" / "a_x4.png").write_bytes(content)
    reader = Reader(ledger.spool / "outgoing")
    reader.look()
    assert "torn" in reader.faults[0]


def test_the_reader_sees_a_picture_that_changes_or_goes(ledger: Ledger) -> None:
    picture = ledger.spool / "outgoing" / "a_x4.png"
    reader = Reader(ledger.spool / "outgoing")
    reader.look()
    picture.write_bytes(png(4, 256, 256) + b"\0")
    reader.look()
    picture.unlink()
    reader.look()
    assert [each.split()[1] for each in reader.faults] == ["changed", "went"]


def test_the_reader_lets_a_sidecar_come_and_go_before_its_picture(ledger: Ledger) -> None:
    reader = Reader(ledger.spool / "outgoing")
    alone = ledger.spool / "outgoing" / "b_x4.json"
    alone.write_text("{}")
    reader.look()
    alone.unlink()
    reader.look()
    assert reader.faults == []
