from __future__ import annotations

import pytest

from edge_sr.device.power.conditions import Conditions
from edge_sr.device.power.trace import between
from tests.device.power.stand_ins import Clock, FakeMeter, SteppedRecorder


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_idle_is_measured_before_and_kept(clock: Clock) -> None:
    meter = FakeMeter(lambda t: 4.0 if t < 101.01 else 10.0, clock)
    with SteppedRecorder(meter, clock) as recorder:
        recorder.measure_idle(1.0)
        start_s = clock.now_s
        recorder.pass_time(2.0)
        busy = between(recorder.mark(start_s + 0.05), recorder.mark(start_s + 1.05))
    assert recorder.idle is not None and recorder.idle.power_w == pytest.approx(4.0)
    assert busy is not None and busy.power_w == pytest.approx(10.0)


def test_without_a_meter_nobody_waits_and_nothing_is_known(clock: Clock) -> None:
    with SteppedRecorder(None, clock) as recorder:
        assert recorder.measure_idle(1.0) is None
        assert clock.now_s == 100.0
        assert recorder.settled(100.0) and recorder.mark(100.0) is None


def test_a_window_is_settled_by_the_reading_after_it(clock: Clock) -> None:
    with SteppedRecorder(FakeMeter(lambda t: 4.0, clock), clock) as recorder:
        clock.now_s += 0.01
        assert not recorder.settled(clock.now_s)
        recorder.pass_time(0.05)
        assert recorder.settled(100.01)


def test_a_window_after_which_nothing_is_read_is_settled_by_time(clock: Clock) -> None:
    with SteppedRecorder(FakeMeter(lambda t: 4.0, clock), clock) as recorder:
        clock.now_s += 0.6
        assert recorder.settled(100.01)


def test_throttling_counts_from_the_look_before_to_the_look_after(clock: Clock) -> None:
    def look() -> Conditions:
        return Conditions(throttle_counts={"oc1": 7 if clock.now_s > 101.9 else 3})

    with SteppedRecorder(None, clock, look) as recorder:
        recorder.pass_time(5.0)
        assert recorder.throttling(100.2, 100.6) == []
        assert recorder.throttling(101.3, 101.5) == ["oc1"]
        assert recorder.throttling(103.3, 103.5) == []


def test_the_power_mode_stands_with_the_conditions(clock: Clock) -> None:
    with SteppedRecorder(None, clock) as recorder:
        assert recorder.conditions().power_mode == "15W"
