from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from edge_sr.device.latency_log import LatencyLog, LineFile
from edge_sr.device.power.conditions import Conditions
from edge_sr.errors import EnvironmentFault, UsageError
from tests.device.power.stand_ins import Clock, FakeMeter, SteppedRecorder


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def three_pictures(path: Path, recorder: SteppedRecorder, clock: Clock) -> list[dict[str, Any]]:
    """Each takes 200 ms, and the next follows after 50 ms."""
    with recorder, LatencyLog(path, recorder) as log:
        recorder.measure_idle(1.0)
        for number in range(3):
            start_s = clock.now_s
            recorder.pass_time(0.2)
            log.picture({"input": f"{number}.png"}, start_s=start_s, end_s=clock.now_s)
            recorder.pass_time(0.05)
    return records(path)


def test_a_record_a_picture_with_its_energy_and_one_of_the_run(tmp_path: Path) -> None:
    clock = Clock()
    recorder = SteppedRecorder(FakeMeter(lambda t: 5.0, clock), clock, lambda: Conditions(throttling=()))
    *pictures, run = three_pictures(tmp_path / "log.jsonl", recorder, clock)
    assert [record["input"] for record in pictures] == ["0.png", "1.png", "2.png"]
    for record in pictures:
        assert record["energy_j"] == pytest.approx(1.0) and record["power_w"] == pytest.approx(5.0)
        assert (record["meter"], record["idle_w"], record["power_mode"]) == ("fake", 5.0, "15W")
        assert record["throttling"] == [] and record["power_readings"] == 4
    assert run["kind"] == "run" and run["pictures"] == 3
    assert run["energy_j"] == pytest.approx(5.0 * 0.7) and run["joules_per_picture"] == pytest.approx(3.5 / 3, abs=1e-4)
    assert run["degraded"] is False


def test_without_a_meter_power_is_null_and_never_zero(tmp_path: Path) -> None:
    clock = Clock()
    for record in three_pictures(tmp_path / "log.jsonl", SteppedRecorder(None, clock), clock):
        assert record["power_w"] is None and record["energy_j"] is None and record["idle_w"] is None
        assert record["meter"] is None and record["throttling"] is None


def test_a_meter_that_dies_costs_power_and_no_record(tmp_path: Path) -> None:
    clock = Clock()
    meter = FakeMeter(lambda t: 5.0, clock)
    recorder = SteppedRecorder(meter, clock)
    meter.value = lambda t: 5.0 if t < 101.3 else float("nan")
    *pictures, run = three_pictures(tmp_path / "log.jsonl", recorder, clock)
    assert [record["energy_j"] for record in pictures] == [pytest.approx(1.0), None, None]
    assert run["energy_j"] is None and run["pictures"] == 3


def test_throttling_marks_the_run_as_degraded(tmp_path: Path) -> None:
    clock = Clock()
    recorder = SteppedRecorder(None, clock, lambda: Conditions(throttling=("cpufreq-cpu0 1",)))
    assert three_pictures(tmp_path / "log.jsonl", recorder, clock)[-1]["degraded"] is True


def test_an_event_that_is_seen_between_two_pictures_is_not_lost(tmp_path: Path) -> None:
    clock = Clock()
    recorder = SteppedRecorder(None, clock, lambda: Conditions(throttle_counts={"oc1": int(clock.now_s > 100.95)}))
    path = tmp_path / "log.jsonl"
    with recorder, LatencyLog(path, recorder) as log:
        for start_s in (100.5, 101.5, 103.5):  # a look at 100, the event, and looks from 101 on
            recorder.pass_time(start_s + 0.2 - clock.now_s)
            log.picture({}, start_s=start_s, end_s=clock.now_s)
    assert [record["throttling"] for record in records(path)] == [[], ["oc1"], [], ["oc1"]]


def test_conditions_before_are_those_before_the_first_picture(tmp_path: Path) -> None:
    clock = Clock()
    recorder = SteppedRecorder(None, clock, lambda: Conditions(temperatures_c={"cpu": clock.now_s}))
    with recorder, LatencyLog(tmp_path / "log.jsonl", recorder) as log:
        recorder.pass_time(3.0)
        log.picture({}, start_s=100.5, end_s=clock.now_s)
    run = records(tmp_path / "log.jsonl")[-1]
    assert run["before"]["temperatures_c"] == {"cpu": 100.0} and run["after"]["temperatures_c"]["cpu"] >= 103.0


def test_a_picture_does_not_wait_for_the_reading_after_it(tmp_path: Path) -> None:
    clock = Clock()
    recorder = SteppedRecorder(FakeMeter(lambda t: 5.0, clock), clock)
    with recorder, LatencyLog(tmp_path / "log.jsonl", recorder) as log:
        clock.now_s += 0.02
        log.picture({}, start_s=100.0, end_s=100.02)
        assert clock.now_s == 100.02 and records(tmp_path / "log.jsonl") == []
    assert [record["kind"] for record in records(tmp_path / "log.jsonl")] == ["picture", "run"]


def test_no_picture_no_run(tmp_path: Path) -> None:
    recorder = SteppedRecorder(None, Clock())
    with recorder, LatencyLog(tmp_path / "log.jsonl", recorder):
        pass
    assert records(tmp_path / "log.jsonl") == []


def test_lines_of_several_writers_stay_whole(tmp_path: Path) -> None:
    files = [LineFile(tmp_path / "log.jsonl") for _ in range(4)]

    def write(file: LineFile, letter: str) -> None:
        for _ in range(200):
            file.append(json.dumps(letter * 1000))

    threads = [threading.Thread(target=write, args=pair) for pair in zip(files, "abcd", strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lines := [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]) == 800
    assert {line[0] * 1000 for line in lines} == set(lines)


def test_half_a_line_of_a_full_disk_does_not_spoil_the_next(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"a": 1}\n{"b"')
    file = LineFile(tmp_path / "log.jsonl")
    file.append('{"c": 3}')
    file.append('{"d": 4}')
    assert (tmp_path / "log.jsonl").read_text().splitlines() == ['{"a": 1}', '{"b"', '{"c": 3}', '{"d": 4}']


def test_a_disk_that_fills_up_ends_the_log_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: LineFile, line: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(LineFile, "append", full)
    recorder = SteppedRecorder(None, Clock())
    with recorder, LatencyLog(tmp_path / "log.jsonl", recorder) as log:
        log.picture({}, start_s=100.0, end_s=100.0)
    assert log.fault is not None and "No space left" in log.fault


def test_a_pipe_or_a_folder_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(UsageError, match="no regular file"):
            LineFile(path)


def test_a_folder_that_is_not_there_is_the_machines_fault(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        LineFile(tmp_path / "none" / "log.jsonl")
