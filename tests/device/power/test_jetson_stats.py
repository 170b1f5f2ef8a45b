"""Against a stand-in with the attributes of jtop; the package is not needed."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from edge_sr.device.power.jetson_stats import JetsonStats
from edge_sr.device.power.meter import MeterFault

ORIN_NANO: dict[str, Any] = {
    "rail": {
        "VDD_CPU_GPU_CV": {"volt": 5000, "curr": 166, "power": 831, "avg": 700, "warn": 1, "crit": 2, "online": True},
        "VDD_SOC": {"volt": 5000, "curr": 325, "power": 1624, "avg": 1600},
    },
    "tot": {"name": "VDD_IN", "volt": 5000, "curr": 1140, "power": 5704, "avg": 4000},
}
AGX_ORIN: dict[str, Any] = {
    "rail": {
        "VDD_GPU_SOC": {"power": 2400, "avg": 1},
        "VDD_CPU_CV": {"power": 400, "avg": 1},
        "VIN_SYS_5V0": {"power": 4000, "avg": 1},
        "VDDQ_VDD2_1V8AO": {"power": 300, "avg": 1},
    },
    "tot": {"power": 7100, "avg": 4},
}


class Board:
    """What jtop() gives."""

    def __init__(self, interval: float) -> None:
        self.interval, self.alive, self.closed = interval, True, False
        self.power = ORIN_NANO
        self.temperature: Any = {"cpu": {"temp": 46.5, "online": True}, "cv0": {"temp": -256, "online": False}}
        self.nvpmodel: Any = SimpleNamespace(name="MAXN_SUPER", id=2)
        self.jetson_clocks: Any = False

    def start(self) -> None:
        pass

    def ok(self, spin: bool = False) -> bool:
        assert spin, "without it the call waits for the service"
        return self.alive

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("jtop")
    module.jtop = Board  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "jtop", module)
    return module


def board_of(meter: JetsonStats) -> Board:
    board = meter._jtop
    assert isinstance(board, Board)
    return board


@pytest.mark.usefixtures("package")
def test_the_input_rail_is_the_total_and_the_mean_of_jtop_is_left_alone() -> None:
    reading = JetsonStats().read()
    assert reading.values == {"VDD_CPU_GPU_CV": 0.831, "VDD_SOC": 1.624, "VDD_IN": 5.704, "total": 5.704}
    assert (reading.power_mode, reading.jetson_clocks) == ("MAXN_SUPER", False)
    assert reading.temperatures_c == {"cpu": 46.5}


@pytest.mark.usefixtures("package")
def test_a_total_that_jtop_summed_up_is_summed_anew() -> None:
    meter = JetsonStats()
    board_of(meter).power = AGX_ORIN
    assert meter.read().values["total"] == pytest.approx(6.8)


@pytest.mark.usefixtures("package")
def test_a_board_without_modes_and_older_temperatures() -> None:
    meter = JetsonStats()
    board_of(meter).nvpmodel, board_of(meter).jetson_clocks = None, None
    board_of(meter).temperature = {"CPU": 40.0}
    reading = meter.read()
    assert (reading.power_mode, reading.jetson_clocks, reading.temperatures_c) == (None, None, {"CPU": 40.0})


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("rubbish", [{}, {"rail": {}, "tot": {}}, {"rail": {"A": {}}, "tot": {"power": 1}}, None])
def test_rubbish_is_no_reading(rubbish: Any) -> None:
    meter = JetsonStats()
    board_of(meter).power = rubbish
    with pytest.raises(MeterFault, match="no reading"):
        meter.read()


@pytest.mark.usefixtures("package")
def test_a_service_that_stops() -> None:
    meter = JetsonStats()
    board_of(meter).alive = False
    with pytest.raises(MeterFault, match="stopped"):
        meter.read()


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("method", ["__init__", "start"])
def test_a_service_that_does_not_run_says_what_to_type(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    def refuse(self: Board, **words: float) -> None:
        raise RuntimeError("The jtop.service is not active")

    monkeypatch.setattr(Board, method, refuse)
    monkeypatch.setattr(Board, "close", refuse)
    with pytest.raises(MeterFault, match=r"jtop.service is not active(.|\n)*systemctl restart"):
        JetsonStats()


def test_without_the_package_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jtop", None)
    with pytest.raises(MeterFault, match="jetson-stats is not installed"):
        JetsonStats()
