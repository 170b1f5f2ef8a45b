from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge_sr.device.power import find
from edge_sr.device.power.find import Found
from edge_sr.device.power.meter import Meter
from edge_sr.timing import PHASES
from tests.conftest import RunCli
from tests.device.power.stand_ins import Clock, FakeMeter


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> FakeMeter:
    fake = FakeMeter(lambda t: 5.0, Clock())
    monkeypatch.setattr("edge_sr.device.power.recorder.IDLE_S", 0.5)  # a busy machine reads late
    has(monkeypatch, fake)
    return fake


def has(monkeypatch: pytest.MonkeyPatch, meter: Meter | None) -> None:
    monkeypatch.setattr(find, "find_meter", lambda: Found(meter, {}))


def records(path: str = "run.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def test_each_picture_is_a_record_with_phases_and_energy(cli: RunCli, chest: Path, meter: FakeMeter) -> None:
    Path("bad.png").write_text("hello")
    result = cli("run", chest, "bad.png", "-o", "out", "--model", "bicubic", "--log-file", "run.jsonl")
    assert result.exit_code == 1 and "warning" not in result.stderr
    good, bad, run = records()
    assert set(PHASES) <= good["phases_ms"].keys() and good["phases_ms"]["copy_in"] is None
    assert bad["phases_ms"]["decode"] > 0 and bad["phases_ms"]["write"] is None
    assert good["status"] == "done" and {"open", "decode", "compute", "encode", "write"} <= good["phases_ms"].keys()
    assert good["pixels"] == [256, 256] and good["model"] == "bicubic" and good["input_sha256"]
    assert good["energy_j"] == pytest.approx(5.0 * good["total_ms"] / 1e3, rel=0.01)
    assert bad["status"] == "failed" and "not a picture" in bad["error"]
    assert (run["pictures"], run["idle_w"]) == (2, 5.0)
    assert meter.closed


def test_a_second_run_appends(cli: RunCli, chest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    has(monkeypatch, None)
    for _ in range(2):
        cli("run", chest, "--model", "bicubic", "--overwrite", "--log-file", "run.jsonl")
    assert [record["kind"] for record in records()] == ["picture", "run"] * 2


def test_without_a_meter_it_is_told_once_and_power_is_null(
    cli: RunCli, chest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    has(monkeypatch, None)
    result = cli("run", chest, "--model", "bicubic", "--log-file", "run.jsonl")
    assert result.exit_code == 0 and result.stderr.count("no power meter here") == 1
    assert [record["energy_j"] for record in records()] == [None, None]


def test_a_meter_that_breaks_costs_no_picture_and_is_told_once(cli: RunCli, chest: Path, meter: FakeMeter) -> None:
    meter.fault = OSError("the bus is gone")
    result = cli("run", chest, "--model", "bicubic", "--log-file", "run.jsonl")
    assert result.exit_code == 0 and result.stderr.count("the bus is gone") == 1
    assert [record["energy_j"] for record in records()] == [None, None]


def test_a_log_that_cannot_be_made_stops_before_any_work(cli: RunCli, chest: Path) -> None:
    result = cli("run", chest, "--model", "bicubic", "--log-file", "none/run.jsonl")
    assert result.exit_code == 3 and "the log cannot be written" in result.stderr
    assert not Path("chest_x4.png").exists()


def test_a_dry_run_logs_nothing(cli: RunCli, chest: Path) -> None:
    cli("run", chest, "--dry-run", "--log-file", "run.jsonl")
    assert not Path("run.jsonl").exists()
