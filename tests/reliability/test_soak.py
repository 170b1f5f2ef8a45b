"""The program of the full counts, with rows of nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("benchmarks", reason="benchmarks are not in the wheel")

from benchmarks import soak_text
from tests.reliability import soak
from tests.reliability.finding import Finding, NotHere
from tests.reliability.rig import Rig
from tests.reliability.soak import Row


def held(rig: Rig, count: int) -> dict[str, Finding]:
    return {"11": Finding(count, figures={"taken_early": 0})}


def missed(rig: Rig, count: int) -> dict[str, Finding]:
    return {"4": Finding(count, figures={"published": 3, "dropped": 2}, faults=["a claim | was dropped first"])}


def not_here(rig: Rig, count: int) -> dict[str, Finding]:
    raise NotHere("strace is not installed")


def broken(rig: Rig, count: int) -> dict[str, Finding]:
    raise RuntimeError("nobody foresaw this")


class NoRig:
    file_system = "tmpfs"

    def __enter__(self) -> NoRig:
        return self

    def __exit__(self, *exc: object) -> None: ...


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> None:
    made = (("11", held), ("4", missed), ("8", not_here), ("14", broken))
    monkeypatch.setattr(soak, "ROWS", tuple(Row((name,), run, 500, 5, "files") for name, run in made))
    monkeypatch.setattr(soak, "Rig", NoRig)


@pytest.mark.usefixtures("rows")
def test_each_row_stands_in_the_file_with_its_conditions(tmp_path: Path) -> None:
    out = tmp_path / "soak.json"
    assert soak.main(["--out", str(out)]) == 1
    record = json.loads(out.read_bytes())
    assert [record["rows"][name]["held"] for name in ("11", "4", "8", "14")] == [True, False, False, False]
    assert record["rows"]["8"]["not_run"] == "strace is not installed"
    assert "nobody foresaw" in record["rows"]["14"]["faults"][0]
    assert {"date", "seconds", "load_average_before", "machine", "versions"} <= record["rows"]["11"].keys()


@pytest.mark.usefixtures("rows")
def test_a_row_that_was_asked_for_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    out = tmp_path / "soak.json"
    assert soak.main(["--out", str(out), "--row", "11"]) == 0
    soak.main(["--out", str(out), "--row", "4"])
    assert json.loads(out.read_bytes())["rows"].keys() == {"11", "4"}


@pytest.mark.usefixtures("rows")
def test_resume_leaves_out_what_is_there(tmp_path: Path) -> None:
    out = tmp_path / "soak.json"
    soak.main(["--out", str(out), "--row", "11"])
    before = json.loads(out.read_bytes())["rows"]["11"]
    soak.main(["--out", str(out), "--row", "11", "--resume"])
    assert json.loads(out.read_bytes())["rows"]["11"] == before
    soak.main(["--out", str(out), "--row", "11", "--quick", "--resume"])
    assert json.loads(out.read_bytes())["rows"]["11"]["asked"] == 5


@pytest.mark.usefixtures("rows")
def test_the_table_tells_held_from_missed_and_not_run(tmp_path: Path) -> None:
    out = tmp_path / "soak.json"
    soak.main(["--out", str(out)])
    lines = {
        line.split("|")[1].strip(): line for line in soak_text.table(soak_text.read(out)).splitlines() if "|" in line
    }
    assert "| held |" in lines["11"] and "500 files" in lines["11"]
    assert "**missed**" in lines["4"] and "a claim / was dropped first" in lines["4"]
    assert "not run: strace is not installed" in lines["8"]
    assert "not run" in lines["1"]
    assert soak_text.summary(soak_text.read(out)).startswith("1 of ")


def test_every_row_of_the_program_has_its_words() -> None:
    assert {name for row in soak.ROWS for name in row.names} == soak_text.ROWS.keys()
