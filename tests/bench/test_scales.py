from __future__ import annotations

import pytest

from edge_sr.bench.measure import Gathered
from edge_sr.bench.scales import Scales
from edge_sr.bench.turns import Timed
from edge_sr.device.power.find import Found
from tests.device.power.stand_ins import Clock, FakeMeter, SteppedRecorder


class Board:
    """5 W, and 12 W while a variant works; a call takes half a second."""

    def __init__(self) -> None:
        self.clock, self.watts = Clock(), 5.0
        self.meter = FakeMeter(lambda now_s: self.watts, self.clock)
        self.recorder = self.new_recorder()
        self.scales = Scales(
            self.clock(), find=lambda: Found(self.meter, {}), recorder_of=lambda found: self.new_recorder()
        )

    def new_recorder(self) -> SteppedRecorder:
        self.recorder = SteppedRecorder(self.meter, self.clock)
        return self.recorder

    def variant(self) -> Gathered:
        return Gathered(Timed(lambda phases: self.work()), Timed(lambda phases: None))

    def work(self) -> None:
        self.watts = 12.0
        self.recorder.pass_time(0.5)


def test_energy_is_that_of_one_variant_at_a_time_and_idle_was_before() -> None:
    board = Board()
    board.scales.rest(2.0)
    gathered = {"a": board.variant(), "b": board.variant()}
    energy, power = board.scales.weigh(gathered, seconds=8)
    assert list(energy) == ["a", "b"]
    for each in energy.values():
        assert each.joules_per_picture == pytest.approx(6.0) and each.power_w == pytest.approx(12.0)
        assert each.idle_w == pytest.approx(5.0) and each.meter == "fake"
    assert power is not None and power.windows[0].end_s <= power.windows[1].start_s
    assert power.samples[0] == (0.0, 5.0) and power.samples[-1][1] == 12.0


def test_the_calls_that_were_weighed_are_no_latencies() -> None:
    board = Board()
    board.scales.rest(1.0)
    gathered = board.variant()
    gathered.array.taken_ms.append(1.0)
    gathered.array.phases.append({})
    board.scales.weigh({"a": gathered}, seconds=2)
    assert gathered.array.taken_ms == [1.0]


def test_without_a_meter_nobody_waits_and_nothing_is_told() -> None:
    scales = Scales(find=lambda: Found(None, {}), recorder_of=lambda found: pytest.fail("records"))
    scales.rest(1000.0)
    assert scales.meter is None and scales.weigh({"a": Board().variant()}, seconds=1000.0) == ({}, None)


def test_a_meter_that_fails_leaves_no_figure() -> None:
    board = Board()
    board.scales.rest(1.0)
    board.meter.fault = OSError("gone")
    energy, power = board.scales.weigh({"a": board.variant()}, seconds=2)
    assert energy == {} and power is not None and power.windows
