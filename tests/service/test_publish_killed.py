"""A process that dies between any two system calls of a job, and one whose disk fails there: the end is the same."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_sr.errors import EdgeSRError, EnvironmentFault
from edge_sr.service import rename
from edge_sr.service.claims import Claim, claim, give_back
from edge_sr.service.faults import DiskFull
from edge_sr.service.publish import publish
from edge_sr.service.quarantine import Reason, quarantine, quarantined, requeue
from edge_sr.service.recovery import recover
from edge_sr.service.spool import Spool
from tests.service.interrupted import Calls, dies_at, stopped
from tests.service.spools import contents, finish, listing, new_spool, output_of, put, serve

CONTENTS = {"a.png": b"first", "b.png": b"second"}


@pytest.fixture(autouse=True)
def fast_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of the calls is what counts here; tests/service/test_publish_order.py sees the real ones."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def fresh(folder: Path) -> Spool:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    spool = new_spool(folder)
    for name, content in CONTENTS.items():
        put(spool, name, content)
    return spool


def no_renameat2(*_: object) -> None:
    raise OSError(errno.EINVAL, "as on a file system without the flag")


def serve_all(spool: Spool) -> None:
    serve(spool, *CONTENTS)


def serve_again(spool: Spool, *, engine: str) -> None:
    """What the next process does: first what was at hand, then what is in incoming."""
    finish(spool, recover(spool).claims, engine=engine)
    serve(spool, *listing(spool)["incoming"], engine=engine)


def expected(engine: str = "engine") -> dict[str, bytes]:
    outputs = {name: output_of(Claim("0" * 32, name), content, engine=engine) for name, content in CONTENTS.items()}
    return {f"{name.removesuffix('.png')}_x4.png": output.picture for name, output in outputs.items()}


def check_end(spool: Spool) -> None:
    """Each input once in done, each result once and whole in outgoing, nothing else anywhere."""
    names = sorted(f"{name}_x4{suffix}" for name in "ab" for suffix in (".json", ".png"))
    assert listing(spool) == {
        "incoming": [],
        "work": [],
        "outgoing": names,
        "done": sorted(CONTENTS),
        "quarantine": [],
    }
    assert contents(spool.path / "done") == CONTENTS


def every_death(folder: Path, act: Callable[[Spool], object], check: Callable[[Spool], object]) -> int:
    """Let ``act`` die at its first call, its second..., and look each time at what it left; how many deaths."""
    number = 0
    while True:
        with fresh(folder) as spool:
            died = dies_at(number, lambda spool=spool: act(spool))
            check(spool)
        if not died:
            return number
        number += 1


@pytest.mark.parametrize("flag", [True, False])
def test_a_death_between_any_two_calls_loses_nothing_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flag: bool
) -> None:
    if not flag:
        monkeypatch.setattr(rename, "_renameat2", no_renameat2)

    def check(spool: Spool) -> None:
        serve_again(spool, engine="engine")
        check_end(spool)
        pictures = {name: content for name, content in contents(spool.path / "outgoing").items() if "png" in name}
        assert pictures == expected()

    assert every_death(tmp_path / "t", serve_all, check) > (25 if flag else 35)


def test_a_new_engine_after_the_death_makes_no_second_result(tmp_path: Path) -> None:
    def check(spool: Spool) -> None:
        serve_again(spool, engine="the next release")
        check_end(spool)

    every_death(tmp_path / "t", serve_all, check)


def test_a_death_while_recovering_is_recovered_from(tmp_path: Path) -> None:
    def die_late_and_recover(spool: Spool) -> None:
        held = [taken for name in CONTENTS if (taken := claim(spool, name))]
        publish(spool, [output_of(each, CONTENTS[each.name]) for each in held])
        serve_again(spool, engine="engine")

    def check(spool: Spool) -> None:
        serve_again(spool, engine="engine")
        check_end(spool)

    every_death(tmp_path / "t", die_late_and_recover, check)


@pytest.mark.parametrize("flag", [True, False])
def test_a_death_while_quarantining_keeps_file_and_reason_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flag: bool
) -> None:
    if not flag:
        monkeypatch.setattr(rename, "_renameat2", no_renameat2)

    def act(spool: Spool) -> None:
        held = claim(spool, "a.png")
        assert held is not None
        quarantine(spool, held, Reason("refused", "is no picture"))

    def check(spool: Spool) -> None:
        for held in [*recover(spool).claims, claim(spool, "a.png")]:
            if held is not None:
                quarantine(spool, held, Reason("refused", "is no picture"))
        (found,) = quarantined(spool)
        assert (found.name, found.code, found.others) == ("a.png", "refused", ())
        assert listing(spool)["work"] == [] and listing(spool)["incoming"] == ["b.png"]
        assert sorted(contents(spool.path / "quarantine" / found.job)) == ["a.png", "reason.json"]

    assert every_death(tmp_path / "t", act, check) > 5


def test_a_death_while_requeueing_keeps_the_file(tmp_path: Path) -> None:
    def act(spool: Spool) -> None:
        held = claim(spool, "a.png")
        assert held is not None
        quarantine(spool, held, Reason("refused", "is no picture"))
        requeue(spool, held.job)

    def check(spool: Spool) -> None:
        for held in recover(spool).claims:
            assert give_back(spool, held)
        for each in list(quarantined(spool)):
            assert each.name is None or each.reason is not None
            requeue(spool, each.job)
        assert listing(spool) == {
            "incoming": sorted(CONTENTS), "work": [], "outgoing": [], "done": [], "quarantine": []
        }  # fmt: skip

    every_death(tmp_path / "t", act, check)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_fault_of_any_call_leaves_nothing_half_visible_and_the_next_try_ends_well(
    tmp_path: Path, number: int
) -> None:
    def fail() -> None:
        raise OSError(number, os.strerror(number))

    at = 0
    while True:
        with fresh(tmp_path / "t") as spool:
            held = [taken for name in CONTENTS if (taken := claim(spool, name))]
            outputs = [output_of(each, CONTENTS[each.name]) for each in held]
            with stopped(Calls(fail, at=at)) as calls:
                fault = publish_failing(spool, outputs)
            assert fault is None or isinstance(fault, DiskFull if number == errno.ENOSPC else EnvironmentFault)
            names = listing(spool)["outgoing"]
            assert not [name for name in names if name.startswith(".")]
            assert {name[:-5] for name in names if name.endswith(".json")} == {
                name[:-4] for name in names if name.endswith(".png")
            }
            finish(spool, held)
            check_end(spool)
        if calls.count <= at:
            return
        at += 1


def publish_failing(spool: Spool, outputs: list) -> EdgeSRError | None:
    try:
        publish(spool, outputs)
    except EdgeSRError as fault:
        return fault
    return None
