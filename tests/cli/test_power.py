from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from edge_sr.cli import power as power_module
from edge_sr.cli.exit_codes import code_of
from edge_sr.device.power.conditions import Conditions
from edge_sr.device.power.find import Found
from edge_sr.device.power.meter import Meter, MeterFault
from tests.device.power.stand_ins import Clock, FakeMeter, SteppedRecorder

MISSING = {"jtop": MeterFault("the package jetson-stats is not installed", hint="pip install jetson-stats")}
CONDITIONS = Conditions({"cpu": 46.5}, {"cpu0": 729.0, "cpu1": 1510.0, "gpu": 306.0}, throttling=())


def call(monkeypatch: pytest.MonkeyPatch, meter: Meter | None, clock: Clock, *words: str) -> Result:
    monkeypatch.setattr(power_module, "find_meter", lambda name: Found(meter, MISSING))
    monkeypatch.setattr(power_module, "Recorder", lambda meter: SteppedRecorder(meter, clock, lambda: CONDITIONS))
    return CliRunner().invoke(power_module.power, list(words))


def five_watts(clock: Clock) -> FakeMeter:
    return FakeMeter(lambda t: 5.0, clock)


def test_a_table_of_rails_and_what_the_board_does(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    result = call(monkeypatch, five_watts(clock), clock, "--seconds", "4")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "fake: a fake"
    assert [line.split() for line in lines[2:4]] == [["VDD_IN", "5.00", "5.00"], ["total", "5.00", "5.00"]]
    for told in ("20.00 J in 4.00 s", "cpu 46.5 C", "cores 729 to 1510 MHz, gpu 306 MHz", "15W", "throttling: none"):
        assert told in result.stdout


def test_json_is_one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    result = call(monkeypatch, five_watts(clock), clock, "--json", "--seconds", "2")
    document = json.loads(result.stdout)
    assert document["schema_version"] == 1 and document["meter"] == "fake"
    assert document["seconds"] == pytest.approx(2.0, abs=0.01)
    assert document["energy_j"] == pytest.approx(5.0 * document["seconds"])
    assert document["mean_w"] == pytest.approx({"VDD_IN": 5.0, "total": 5.0})
    assert document["missing"] == {"jtop": "the package jetson-stats is not installed; try: pip install jetson-stats"}


def test_once_is_one_reading_without_energy(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    result = call(monkeypatch, five_watts(clock), clock, "--once")
    assert "5.00" in result.stdout and " J in " not in result.stdout
    assert clock.now_s < 100.2


def test_no_meter_exits_3_and_says_what_was_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    result = call(monkeypatch, None, Clock())
    assert result.exception is not None and code_of(result.exception) == 3
    assert "no power meter answers here\n  jtop        the package" in str(result.exception)


def test_no_meter_in_json_is_null_and_exits_3_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    result = call(monkeypatch, None, Clock(), "--json")
    document = json.loads(result.stdout)
    assert document["meter"] is None and document["energy_j"] is None and document["now_w"] is None
    assert document["conditions"]["temperatures_c"] == {"cpu": 46.5}
    assert result.exception is not None and code_of(result.exception) == 3


def test_a_meter_that_fails_from_the_start_exits_3(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    result = call(monkeypatch, FakeMeter(lambda t: float("nan"), clock), clock, "--seconds", "2")
    assert result.exception is not None and code_of(result.exception) == 3
    assert "reads nan" in str(result.exception)


def test_a_meter_that_fails_on_the_way_is_told_beside_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    meter = FakeMeter(lambda t: 5.0 if t < 101 else float("nan"), clock)
    result = call(monkeypatch, meter, clock, "--seconds", "2")
    assert result.exit_code == 0 and "warning: fake: VDD_IN reads nan" in result.stderr


def test_ctrl_c_ends_with_the_figures_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    recorder = SteppedRecorder(five_watts(clock), clock)

    def wait(seconds: float) -> None:
        if clock.now_s > 103:
            raise KeyboardInterrupt
        recorder.pass_time(seconds)

    with recorder:
        recorder.wait = wait
        figures = power_module._watch(recorder, None, power_module._table)
    assert figures is not None and figures.power_w == pytest.approx(5.0) and figures.seconds > 2.5


def test_once_and_seconds_exclude_each_other() -> None:
    assert CliRunner().invoke(power_module.power, ["--once", "--seconds", "1"]).exit_code == 2


def test_the_real_machine_can_be_asked() -> None:
    result = CliRunner().invoke(power_module.power, ["--once"])
    assert result.exit_code == 0 or (result.exception is not None and code_of(result.exception) == 3)
