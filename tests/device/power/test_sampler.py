from __future__ import annotations

import threading

import pytest

from edge_sr.device.power.conditions import Conditions
from edge_sr.device.power.meter import Reading
from edge_sr.device.power.sampler import GIVE_UP, SILENCE_S, Sampler
from tests.device.power.stand_ins import Clock, FakeMeter


def looked() -> Conditions:
    return Conditions(temperatures_c={"cpu": 40.0})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def meter(clock: Clock) -> FakeMeter:
    return FakeMeter(lambda t: 5.0, clock)


def steps(sampler: Sampler, clock: Clock, count: int) -> None:
    for _ in range(count):
        clock.now_s += 0.05
        sampler.step()


def test_a_reading_counts_for_the_middle_of_the_time_it_took(clock: Clock) -> None:
    def slow(now_s: float) -> float:
        clock.now_s += 0.010
        return 5.0

    sampler = Sampler(FakeMeter(slow, clock), looked, clock=clock)
    sampler.step()
    assert sampler.trace.newest_s == pytest.approx(100.005)


@pytest.mark.parametrize(
    "fault", [OSError(19, "No such device"), ValueError("rubbish"), SystemError(), ZeroDivisionError()]
)
def test_a_source_that_fails_stops_nothing_and_is_told_once(clock: Clock, meter: FakeMeter, fault: Exception) -> None:
    sampler = Sampler(meter, looked, clock=clock)
    steps(sampler, clock, 3)
    meter.fault = fault
    steps(sampler, clock, 3)
    meter.fault = RuntimeError("another")
    steps(sampler, clock, 3)
    trouble = sampler.trouble()
    assert trouble is not None and trouble.startswith("fake: ") and "another" not in trouble


@pytest.mark.parametrize("watts", [float("nan"), float("inf"), 1e6])
def test_power_that_cannot_be_is_no_reading(clock: Clock, watts: float) -> None:
    sampler = Sampler(FakeMeter(lambda t: watts, clock), looked, clock=clock)
    steps(sampler, clock, 3)
    assert sampler.trace.newest_s is None
    assert "VDD_IN reads" in (sampler.trouble() or "")


def test_a_source_that_comes_back_is_read_again(clock: Clock, meter: FakeMeter) -> None:
    sampler = Sampler(meter, looked, clock=clock)
    meter.fault = OSError("away")
    steps(sampler, clock, GIVE_UP - 1)
    meter.fault = None
    steps(sampler, clock, 1)
    assert sampler.trace.newest_s == pytest.approx(clock.now_s) and sampler.reads


def test_a_source_that_stays_away_is_given_up_and_the_conditions_are_not(clock: Clock, meter: FakeMeter) -> None:
    sampler = Sampler(meter, looked, clock=clock)
    meter.fault = OSError("away")
    steps(sampler, clock, GIVE_UP)
    meter.fault = None
    steps(sampler, clock, 100)
    assert not sampler.reads and sampler.trace.newest_s is None
    assert clock.now_s - sampler.moments[-1][0] <= 1.0


def test_conditions_are_looked_at_once_a_second(clock: Clock, meter: FakeMeter) -> None:
    sampler = Sampler(meter, looked, clock=clock)
    steps(sampler, clock, 100)
    assert 5 <= len(sampler.moments) <= 6


def test_a_look_that_fails_is_a_fault_and_no_end(clock: Clock, meter: FakeMeter) -> None:
    def broken() -> Conditions:
        raise KeyError("bug")

    sampler = Sampler(meter, broken, clock=clock)
    steps(sampler, clock, 3)
    assert "conditions: KeyError" in (sampler.trouble() or "")
    assert sampler.trace.newest_s is not None


def test_memory_is_bounded(clock: Clock, meter: FakeMeter) -> None:
    sampler = Sampler(meter, looked, clock=clock)
    steps(sampler, clock, 20_000)
    assert len(sampler.trace._samples) <= 4096 and len(sampler.moments) <= 512


def test_the_thread_reads_and_closes_its_meter() -> None:
    read = threading.Event()

    class Quick(FakeMeter):
        interval_s = 0.001

        def read(self) -> Reading:
            read.set()
            return super().read()

    meter = Quick(lambda t: 5.0, Clock())
    sampler = Sampler(meter, looked)
    sampler.start()
    assert read.wait(timeout=10)
    sampler.stop()
    assert meter.closed


def test_a_source_that_stalls_holds_up_nobody(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_sr.device.power.sampler.STOP_S", 0.01)
    inside, release = threading.Event(), threading.Event()

    def stall(now_s: float) -> float:
        inside.set()
        release.wait(timeout=30)
        return 5.0

    sampler = Sampler(FakeMeter(stall, clock), looked, clock=clock)
    sampler.start()
    assert inside.wait(timeout=10)
    clock.now_s += SILENCE_S + 1
    assert not sampler.reads and "has not answered for 6 s" in (sampler.trouble() or "")
    sampler.stop()  # comes back, though the reading does not
    assert sampler._thread.daemon
    release.set()


def test_without_a_meter_conditions_are_all_there_is(clock: Clock) -> None:
    sampler = Sampler(None, looked, clock=clock)
    steps(sampler, clock, 3)
    assert sampler.moments[-1][1] == looked()
    assert sampler.trouble() is None and not sampler.reads
