"""`edge-sr status`: what it says of a document, and where it looks for one."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_sr.cli.status import span, told
from edge_sr.service.report import REASONS, Report
from edge_sr.service.status import StatusSocket
from edge_sr.service.tally import DONE, QUARANTINED, JobEnd
from edge_sr.service.vitals import VitalSigns
from tests.conftest import RunCli


class FakeQueue:
    def to_json(self) -> dict[str, object]:
        return {"waiting": 7, "oldest_s": 90.0, "ignored": 1, "retrying": 2, "in_stages": 3}

    def disk_to_json(self) -> dict[str, object]:
        return {"free_bytes": 12_300_000_000, "full": False}


@pytest.fixture
def report(tmp_path: Path) -> Report:
    signs = VitalSigns({"gpu": 51.2}, 7.25, "ina3221", "15W", ("gpu 1",))
    made = Report(str(tmp_path.resolve()), FakeQueue(), signs.to_json, reason="")
    made.work = {"model": "tiny 0.0.1", "precision": "int8", "backend": "tensorrt 10.3", "engine": "ab12"}
    made.tally.add(JobEnd("a" * 32, DONE, phases_ms={"compute": 30.0}, total_ms=40.0), 1.0)
    made.tally.add(JobEnd("b" * 32, QUARANTINED, "refused"), 1.0)
    return made


@contextmanager
def listening(path: Path, document: Callable[[], dict[str, object]]) -> Iterator[None]:
    over = threading.Event()
    with StatusSocket(path, document) as server:

        def answer() -> None:
            while not over.wait(0.005):
                server.answer()

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def test_everything_worth_knowing_stands_in_it(report: Report) -> None:
    text = "\n".join(told(report.document()))
    for words in (
        "ready",
        "tiny 0.0.1, int8, tensorrt 10.3",
        "ab12",
        "7 waiting, the oldest for 90 s, 3 at work, 2 to be tried again, 1 ignored",
        "1 done, 1 quarantined",
        "1  quarantined: refused",
        "30.0      30.0  compute",
        "12.3 GB free",
        "gpu 51 C",
        "7.2 W (ina3221)",
        "15W",
        "gpu 1",
    ):
        assert words in text


@pytest.mark.parametrize("reason", REASONS)
def test_why_it_is_not_ready(report: Report, reason: str) -> None:
    report.reason, report.stalled = reason, "compute"
    assert next(told(report.document())) == f"not ready: {REASONS[reason]} (compute)"


def test_live_and_not_ready_are_two_things(cli: RunCli, report: Report, tmp_path: Path) -> None:
    report.reason = "disk-full"
    (tmp_path / "state").mkdir()
    with listening(tmp_path / "state" / "status.sock", report.document):
        asked = cli("status", tmp_path, "--json")
    document = json.loads(asked.stdout)
    assert asked.exit_code == 1 and (document["live"], document["ready"]) == (True, False)


def test_the_runtime_folder_is_asked_and_only_for_its_own_spool(
    cli: RunCli, report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    with listening(tmp_path / "run" / "status.sock", report.document):
        assert cli("status", tmp_path).exit_code == 0
        assert cli("status", tmp_path / "another").exit_code == 3


def test_quiet_is_the_exit_code_alone(cli: RunCli, tmp_path: Path) -> None:
    asked = cli("status", tmp_path, "--quiet")
    assert (asked.exit_code, asked.stdout) == (3, "")


@pytest.mark.parametrize(
    ("seconds", "words"), [(4, "4 s"), (119, "119 s"), (720, "12 min"), (12000, "3 h 20 min"), (432000, "5 days")]
)
def test_spans(seconds: float, words: str) -> None:
    assert span(seconds) == words
