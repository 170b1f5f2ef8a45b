"""``edge-sr spool``: what it lists, what it calls damage, and which file a job was."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_sr.cli.spool import spool as group
from edge_sr.errors import EnvironmentFault, InputError
from edge_sr.service.claims import claim
from edge_sr.service.journal import Journal
from edge_sr.service.quarantine import Reason, quarantine
from edge_sr.service.spool import Spool
from tests.service.spools import new_spool, put, serve

HOSTILE = "a\n\x1b[2J.png"


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spool]:
    """Two wait, one of them unfinished by its name; one is published, one quarantined, one at hand."""
    monkeypatch.setenv("EDGE_SR_SPOOL", str(tmp_path / "spool"))
    with new_spool(tmp_path) as opened:
        for name in ("new.png", "half.part", "a.png", HOSTILE, "held.png"):
            put(opened, name, name.encode())
        serve(opened, "a.png")
        held = claim(opened, HOSTILE)
        assert held is not None
        quarantine(opened, held, Reason("decoder-timeout", "took more than 10 s"))
        assert claim(opened, "held.png") is not None
        yield opened


def call(*words: object) -> Result:
    return CliRunner().invoke(group, [str(word) for word in words])


def job_in(spool: Spool, folder: str) -> str:
    (path,) = (spool.path / folder).iterdir()
    return path.name


def test_the_figures_of_every_folder(spool: Spool) -> None:
    lines = call("ls").stdout.splitlines()
    assert lines[0] == f"{spool.path}, not served now"
    assert lines[1].startswith("incoming    1 waiting, 1 ignored, oldest ")
    assert lines[2:] == [
        "work        1 jobs",
        "outgoing    1 pictures",
        "done        1 files",
        "quarantine  1 jobs, decoder-timeout 1",
    ]


def test_the_figures_as_json(spool: Spool) -> None:
    spool.lock()
    document = json.loads(call("ls", "--json").stdout)
    assert document["schema_version"] == 1 and document["service_pid"] > 0
    assert document["folders"]["quarantine"] == {"jobs": 1, "reasons": {"decoder-timeout": 1}}


def test_a_name_from_outside_commands_no_terminal(spool: Spool) -> None:
    (line,) = call("ls", "quarantine").stdout.splitlines()
    assert line.startswith(job_in(spool, "quarantine")[:12]) and line.endswith("a\\n\\x1b[2J.png")
    assert "decoder-timeout: took more than 10 s" in line


@pytest.mark.parametrize(
    ("folder", "names"),
    [
        ("incoming", {"new.png", "half.part"}),
        ("work", {"held.png"}),
        ("outgoing", {"a_x4.json", "a_x4.png"}),
        ("done", {"a.png"}),
        ("quarantine", {HOSTILE}),
    ],
)
def test_each_folder_as_json(spool: Spool, folder: str, names: set[str]) -> None:
    rows = json.loads(call("ls", folder, "--json").stdout)["rows"]
    assert {row["name"] for row in rows} == names and all(row["age_s"] >= 0 for row in rows)
    assert call("ls", folder).exit_code == 0


def test_what_is_no_spool_is_told(tmp_path: Path) -> None:
    for command in (["ls"], ["verify"], ["find", "0" * 8]):
        assert isinstance(call(*command, "--spool", tmp_path / "none").exception, EnvironmentFault)
    assert list(tmp_path.iterdir()) == []


def test_verify_of_a_sound_spool(spool: Spool) -> None:
    result = call("verify")
    assert result.exit_code == 0 and result.stdout.splitlines()[-1] == "damaged: 0, notes: 1"
    assert json.loads(call("verify", "--json").stdout)["ok"] is True


def test_verify_names_the_damage_and_exits_5(spool: Spool) -> None:
    (spool.path / "outgoing" / "a_x4.json").unlink()
    result = call("verify")
    assert result.exit_code == 5
    assert "damaged  outgoing/a_x4.png  has no sidecar beside it" in result.stdout.splitlines()
    document = json.loads(call("verify", "--json").stdout)
    assert document["ok"] is False and document["findings"][0]["folder"] == "outgoing"


def test_find_tells_the_name_of_a_job(spool: Spool) -> None:
    Journal(spool).append(job="a" * 32, name=HOSTILE, outcome="quarantined", job_key="b" * 64, reason="refused")
    for text in ("a" * 8, "b" * 64):
        first, second = call("find", text).stdout.splitlines()
        assert first.endswith(f"{'a' * 32}  quarantined (refused)") and second == "  a\\n\\x1b[2J.png"
    assert json.loads(call("find", "a" * 8, "--json").stdout)["lines"][0]["name"] == HOSTILE


def test_find_knows_a_job_at_hand(spool: Spool) -> None:
    assert "held.png" in call("find", job_in(spool, "work")[:8]).stdout


def test_find_of_an_unknown_job(spool: Spool) -> None:
    assert isinstance(call("find", "0" * 32).exception, InputError)


@pytest.mark.parametrize("command", group.commands)
def test_every_command_has_an_example_in_its_help(command: str) -> None:
    text = call(command, "--help").stdout
    assert re.search(rf"^ +edge-sr spool {command}", text.partition("Examples:")[2], re.MULTILINE)
