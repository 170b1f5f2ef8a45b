from __future__ import annotations

import threading

import pytest

from edge_sr.device.power.find import METERS, find_meter
from edge_sr.device.power.meter import Meter, MeterFault
from tests.device.power.stand_ins import Clock, FakeMeter


def fake() -> Meter:
    return FakeMeter(lambda t: 5.0, Clock())


def absent() -> Meter:
    raise MeterFault("is not there", hint="buy one")


def broken() -> Meter:
    raise RuntimeError("a bug of theirs")


def test_meters_are_tried_in_the_order_of_what_they_tell() -> None:
    assert list(METERS) == ["jtop", "ina3221", "tegrastats", "nvml", "rapl"]


def test_the_first_that_answers_is_taken_and_the_others_say_why_not() -> None:
    found = find_meter(meters={"one": absent, "two": broken, "three": fake, "four": fake})
    assert found.meter is not None
    assert found.reasons == {"one": "is not there; try: buy one", "two": "RuntimeError: a bug of theirs"}


def test_one_by_name_is_the_only_one_that_is_tried() -> None:
    found = find_meter("two", meters={"one": fake, "two": absent})
    assert found.meter is None and list(found.missing) == ["two"]


def test_none_is_none() -> None:
    assert find_meter(meters={}).meter is None


def test_one_that_hangs_is_left_behind_and_closed_when_it_comes_back() -> None:
    release, closed = threading.Event(), threading.Event()

    class Late(FakeMeter):
        def close(self) -> None:
            closed.set()

    def hang() -> Meter:
        release.wait(timeout=30)
        return Late(lambda t: 5.0, Clock())

    found = find_meter(meters={"hung": hang, "next": fake}, patience_s=0.01)
    assert found.meter is not None and "no answer within" in found.reasons["hung"]
    release.set()
    assert closed.wait(timeout=10)


@pytest.mark.parametrize("name", METERS)
def test_this_machine_can_be_asked_for_each(name: str) -> None:
    found = find_meter(name)
    if found.meter is None:
        assert found.reasons[name]
    else:
        found.meter.close()
