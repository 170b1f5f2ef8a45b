from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edge_sr.device.power.conditions import Conditions, read_conditions, read_power_mode, throttled
from edge_sr.device.power.meter import Reading
from tests.device.power.stand_ins import write_tree

THERMAL = "sys/class/thermal"


def test_heat_clocks_and_what_slows_down(tmp_path: Path) -> None:
    files = {
        f"{THERMAL}/thermal_zone0/type": "cpu-thermal",
        f"{THERMAL}/thermal_zone0/temp": 46_500,
        f"{THERMAL}/thermal_zone1/type": "cv0-thermal",
        f"{THERMAL}/thermal_zone1/temp": -256_000,
        f"{THERMAL}/cooling_device0/type": "cpufreq-cpu0",
        f"{THERMAL}/cooling_device0/cur_state": 2,
        f"{THERMAL}/cooling_device1/type": "pwm-fan",
        f"{THERMAL}/cooling_device1/cur_state": 3,
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": 1_510_400,
        "sys/class/devfreq/17000000.gpu/cur_freq": 1_020_000_000,
        "sys/class/devfreq/15340000.vic/cur_freq": 115_200_000,
        "sys/class/hwmon/hwmon3/oc3_event_cnt": 27,
    }
    found = read_conditions(write_tree(tmp_path, files))
    assert found.temperatures_c == {"cpu-thermal": 46.5}
    assert found.clocks_mhz == {"cpu0": 1510.4, "gpu": 1020.0}
    assert found.throttling == ("cpufreq-cpu0 2",)
    assert found.throttle_counts == {"over-current oc3_event_cnt": 27}


def test_a_machine_that_tells_nothing_is_unknown_and_not_cool(tmp_path: Path) -> None:
    assert read_conditions(tmp_path) == Conditions()
    assert throttled([Conditions(), Conditions()]) is None
    assert throttled([]) is None


def test_this_machine_can_be_read() -> None:
    assert isinstance(read_conditions().to_json(), dict)


def test_rubbish_is_left_out(tmp_path: Path) -> None:
    assert read_conditions(write_tree(tmp_path, {f"{THERMAL}/thermal_zone0/temp": "hot"})).temperatures_c == {}


def test_a_counter_that_rose_is_throttling_and_one_that_is_high_is_not() -> None:
    moments = [Conditions(throttle_counts={"over-current oc1_event_cnt": count}) for count in (15, 15, 17)]
    assert throttled(moments[:2]) == []
    assert throttled(moments) == ["over-current oc1_event_cnt"]


def test_what_was_held_down_in_between_counts_once() -> None:
    calm, slow = Conditions(throttling=()), Conditions(throttling=("cpufreq-cpu0 1",))
    assert throttled([calm, slow, slow, calm]) == ["cpufreq-cpu0 1"]


def test_a_meter_adds_what_it_knows() -> None:
    told = Reading({"total": 1}, {"gpu0": 60.0}, {"gpu0": 1980.0}, "MAXN", True, ("gpu0 power cap",))
    both = Conditions(temperatures_c={"cpu": 40.0}, power_mode="15W").with_reading(told)
    assert both.temperatures_c == {"cpu": 40.0, "gpu0": 60.0}
    assert (both.power_mode, both.jetson_clocks, both.throttling) == ("MAXN", True, ("gpu0 power cap",))
    assert Conditions(throttling=()).with_reading(Reading({"total": 1})) == Conditions(throttling=())


@pytest.mark.parametrize(
    ("said", "mode"),
    [
        ("NV Power Mode: MAXN_SUPER\\n2\\n", "MAXN_SUPER"),
        ("NV Fan Mode:quiet\\nNV Power Mode: 15W\\n0", "15W"),
        ("?", None),
    ],
)
def test_the_power_mode_is_a_name(said: str, mode: str | None) -> None:
    assert read_power_mode((sys.executable, "-c", f"print('{said}')")) == mode


def test_a_machine_without_power_modes() -> None:
    assert read_power_mode(("no-such-nvpmodel",)) is None
