from __future__ import annotations

import pytest

from edge_sr.device.power.rails import module_covers, with_total


@pytest.mark.parametrize("rail", ["VDD_IN", "VIN", "POM_5V_IN"])
def test_an_input_rail_is_the_module(rail: str) -> None:
    assert with_total({"VDD_SOC": 1.5, rail: 5.0})["total"] == 5.0
    assert module_covers({"VDD_SOC": 1.5, rail: 5.0}) == f"the module ({rail})"


def test_without_one_the_sum_counts_no_rail_twice() -> None:
    rails = {"VDD_GPU_SOC": 2.0, "VDD_CPU_CV": 1.0, "VIN_SYS_5V0": 4.0, "VDDQ_VDD2_1V8AO": 0.5}
    assert with_total(rails)["total"] == 7.0
    assert "VDDQ" not in module_covers(rails)


def test_no_rails_no_total() -> None:
    assert with_total({}) == {}
