"""edge_sr/demo/folder.py: counts, rates and energy of a folder, and no name of a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_sr.demo.declined import Declined
from edge_sr.demo.folder import FolderPlan, FolderRun, energy
from edge_sr.device.power.recorder import Recorder
from tests.demo.meters import TwoWatts


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def jobs(count: int) -> FolderPlan:
    return FolderPlan([(Path(f"patient-{n}.png"), Path(f"out/patient-{n}_x4.png")) for n in range(count)], left_out=3)


def test_jobs_come_in_order_and_are_counted() -> None:
    clock = Clock()
    run = FolderRun(lambda: jobs(4), clock=clock)
    run.start()
    while run.next() is not None:
        clock.now_s += 0.5
        run.ended(well=run.done < 3)
    told = run.to_json()
    assert [told[name] for name in ("state", "total", "done", "failed", "left_out")] == ["done", 4, 3, 1, 3]
    assert told["pictures_per_s"] == 2.0 and told["seconds"] == 2.0


def test_no_name_gets_out() -> None:
    run = FolderRun(lambda: jobs(1))
    run.start()
    assert "patient" not in json.dumps(run.to_json())


def test_a_second_start_is_declined_while_the_first_is_on() -> None:
    run = FolderRun(lambda: jobs(2))
    run.start()
    with pytest.raises(Declined) as caught:
        run.start()
    assert caught.value.status == 409


def test_a_stop_ends_it_and_a_start_begins_anew() -> None:
    run = FolderRun(lambda: jobs(2))
    run.start()
    run.next()
    run.stop()
    assert run.next() is None and run.state == "stopped"
    run.start()
    assert (run.state, run.done) == ("running", 0)


def test_an_empty_folder_is_done_at_once() -> None:
    run = FolderRun(lambda: jobs(0))
    run.start()
    assert run.state == "done" and run.to_json()["pictures_per_s"] is None


def test_without_a_meter_watts_are_unknown_and_not_zero() -> None:
    told = FolderRun(lambda: jobs(0), Recorder(None)).to_json()
    assert told["watts"] is None and told["joules_per_picture"] is None


def test_with_a_meter_the_strip_has_watts_and_energy() -> None:
    clock = Clock()
    recorder = Recorder(TwoWatts(), clock=clock)  # not entered: it is fed by hand
    for _ in range(50):
        recorder.sampler.step()
        clock.now_s += 0.1
    clock.now_s = 101.0
    run = FolderRun(lambda: jobs(2), recorder, clock=clock)
    run.start()
    for _ in range(2):
        run.next()
        clock.now_s += 1.0
        run.ended(well=True)
    told = run.to_json()
    assert told["joules_per_picture"] == pytest.approx(2.0) and told["watts"][-1] == pytest.approx(2.0)  # type: ignore[index]
    assert energy(recorder, 101.0, 102.0)["energy_j"] == pytest.approx(2.0)
    assert energy(recorder, 101.0, 999.0) == {}
