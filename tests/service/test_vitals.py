"""Temperature, power and throttling, from sensors of our own."""

from __future__ import annotations

import threading
from collections.abc import Callable

from edge_sr.device.power.conditions import Conditions
from edge_sr.device.power.meter import TOTAL, MeterFault, Reading
from edge_sr.service.vitals import Vitals, VitalSigns


class FakeMeter:
    name, covers, interval_s, longest_gap_s = "fake", "all", 0.0, 1.0

    def __init__(self, *totals: float, counts_energy: bool = False) -> None:
        self._totals, self.counts_energy = list(totals), counts_energy

    def read(self) -> Reading:
        if not self._totals:
            raise MeterFault("no more")
        return Reading({TOTAL: self._totals.pop(0)}, temperatures_c={"gpu": 60.0}, throttling=("power cap",))

    def close(self) -> None: ...


def seen(until: Callable[[VitalSigns], bool], meter: FakeMeter | None, *moments: Conditions) -> VitalSigns:
    """Looks once a clock's second, without waiting, until something is seen."""
    looks, seconds, found = list(moments), iter(range(10**9)), threading.Event()
    vitals: Vitals

    def look() -> Conditions:
        if until(vitals.now):
            found.set()
        return looks.pop(0) if len(looks) > 1 else looks[0]

    vitals = Vitals(
        look=look,
        open_meter=lambda: meter,
        power_mode=lambda: "15W",
        every_s=0.001,
        clock=lambda: float(next(seconds)),
    )
    with vitals:
        assert found.wait(10)
    return vitals.now


def test_what_the_system_tells() -> None:
    now = seen(lambda now: now != VitalSigns(), None, Conditions({"cpu": 50.04}, throttling=()))
    assert now.to_json() == {
        "temperatures_c": {"cpu": 50.0},
        "power_w": None,
        "meter": None,
        "power_mode": "15W",
        "throttling": [],
    }


def test_a_meter_of_watts_tells_more() -> None:
    now = seen(lambda now: now.power_w is not None, FakeMeter(*[7.0] * 10**4), Conditions({"cpu": 50.0}))
    assert (now.power_w, now.meter, now.temperatures_c) == (7.0, "fake", {"cpu": 50.0, "gpu": 60.0})
    assert now.throttling == ("power cap",)


def test_a_meter_of_joules_is_turned_into_watts() -> None:
    meter = FakeMeter(*[5.0 * number for number in range(10**4)], counts_energy=True)
    assert seen(lambda now: now.power_w is not None, meter, Conditions()).power_w == 5.0


def test_a_throttle_event_between_two_looks_is_told() -> None:
    counts = [Conditions(throttle_counts={"over-current": count}) for count in range(10**4)]
    assert seen(lambda now: bool(now.throttling), None, *counts).throttling == ("over-current",)


def test_a_meter_that_fails_leaves_a_gap() -> None:
    now = seen(lambda now: now.meter is not None, FakeMeter(), Conditions({"cpu": 50.0}))
    assert now.power_w is None and now.temperatures_c == {"cpu": 50.0}
