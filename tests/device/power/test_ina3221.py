from __future__ import annotations

from pathlib import Path

import pytest

from edge_sr.device.power.ina3221 import Ina3221
from edge_sr.device.power.meter import MeterFault
from tests.device.power.stand_ins import INA, agx_orin, orin_nano, write_tree


def test_orin_nano_tells_its_module_and_its_parts(tmp_path: Path) -> None:
    meter = Ina3221(orin_nano(tmp_path))
    assert meter.read().values == pytest.approx({"VDD_IN": 5.7, "VDD_CPU_GPU_CV": 1.0, "VDD_SOC": 1.5, "total": 5.7})
    assert meter.covers == "the module (VDD_IN)"


def test_agx_orin_is_a_sum_over_two_monitors_without_what_is_not_connected(tmp_path: Path) -> None:
    values = Ina3221(agx_orin(tmp_path)).read().values
    assert values["total"] == pytest.approx(2.4 + 0.4 + 4.0)
    assert values.keys() == {"VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO", "total"}


def test_each_reading_is_new(tmp_path: Path) -> None:
    meter = Ina3221(orin_nano(tmp_path))
    write_tree(tmp_path, {f"{INA}/1-0040/hwmon/hwmon1/curr1_input": 2000})
    assert meter.read().values["total"] == pytest.approx(10.0)


def test_a_machine_without_monitors_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(MeterFault, match="ina3221"):
        Ina3221(tmp_path)


def test_a_monitor_that_vanishes_is_named(tmp_path: Path) -> None:
    meter = Ina3221(orin_nano(tmp_path))
    (tmp_path / INA / "1-0040/hwmon/hwmon1/in1_input").unlink()
    with pytest.raises(MeterFault, match="in1_input: cannot be read"):
        meter.read()


@pytest.mark.parametrize("rubbish", ["", "n/a", "5.0", "\0\0"])
def test_rubbish_is_no_reading(tmp_path: Path, rubbish: str) -> None:
    meter = Ina3221(orin_nano(tmp_path))
    write_tree(tmp_path, {f"{INA}/1-0040/hwmon/hwmon1/curr2_input": rubbish})
    with pytest.raises(MeterFault, match="curr2_input"):
        meter.read()
