from __future__ import annotations

import sys
import time

import pytest

from edge_sr.device.power import tegrastats
from edge_sr.device.power.meter import MeterFault
from edge_sr.device.power.tegrastats import Tegrastats, parse_line

ORIN_NANO = (
    "11-15-2025 08:38:09 RAM 6185/7620MB (lfb 8x2MB) SWAP 851/3810MB (cached 1MB) "
    "CPU [15%@729,11%@1510,off,off,11%@729,8%@729] EMC_FREQ 43%@2133 GR3D_FREQ 63%@[621] NVDEC off NVJPG off VIC off "
    "OFA off APE 200 cpu@46.5C soc2@45.4C gpu@48.25C tj@48.8C VDD_IN 5704mW/5712mW VDD_CPU_GPU_CV 831mW/900mW "
    "VDD_SOC 1624mW/1600mW"
)
ORIN_NX_WITHOUT_ROOT = (
    "RAM 2000/15655MB (lfb 4x4MB) CPU [1%,0%,off,off] GR3D_FREQ 0% cpu@50C tj@50.1C "
    "VDD_IN 7004mW/6900mW VDD_CPU_GPU_CV 931mW/931mW VDD_SOC 2100mW/2000mW"
)
AGX_ORIN = (
    "04-24-2025 00:01:24 RAM 1282/62795MB (lfb 15152x4MB) CPU [0%@729,0%@2201] EMC_FREQ 0%@2133 GR3D_FREQ 0%@[305,306] "
    "VIC_FREQ 729 APE 174 CV0@-256C CPU@42.593C Tboard@32C tj@42.5C VDD_GPU_SOC 2400mW/2399mW VDD_CPU_CV 400mW/400mW "
    "VIN_SYS_5V0 4000mW/4032mW NC 0mW/0mW VDDQ_VDD2_1V8AO 301mW/301mW NC 0mW/0mW"
)
FIRST_NANO = (
    "RAM 1046/3964MB (lfb 400x4MB) IRAM 0/252kB(lfb 252kB) CPU [5%@102,off] EMC_FREQ 0% GR3D_FREQ 0% PLL@30C "
    "PMIC@100C thermal@31.25C POM_5V_IN 4096/3500 POM_5V_GPU 40/40 POM_5V_CPU 204/290"
)


def printing(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", f"import time\nline = {ORIN_NANO!r}\n{code}")


def test_orin_nano_now_and_not_the_mean() -> None:
    reading = parse_line(ORIN_NANO)
    assert reading.values == {"VDD_IN": 5.704, "VDD_CPU_GPU_CV": 0.831, "VDD_SOC": 1.624, "total": 5.704}
    assert reading.temperatures_c == {"cpu": 46.5, "soc2": 45.4, "gpu": 48.25, "tj": 48.8}


def test_cores_that_are_off_have_no_clock() -> None:
    clocks = {"gpu": 621.0, "cpu0": 729.0, "cpu1": 1510.0, "cpu4": 729.0, "cpu5": 729.0}
    assert parse_line(ORIN_NANO).clocks_mhz == clocks


def test_without_root_there_may_be_no_clocks() -> None:
    reading = parse_line(ORIN_NX_WITHOUT_ROOT)
    assert reading.clocks_mhz == {}
    assert reading.values["total"] == 7.004


def test_agx_orin_is_a_sum_and_a_sensor_that_is_off_is_not_cold() -> None:
    reading = parse_line(AGX_ORIN)
    assert reading.values["total"] == pytest.approx(2.4 + 0.4 + 4.0)
    assert "NC" not in reading.values and "CV0" not in reading.temperatures_c
    assert reading.clocks_mhz["gpu"] == 305


def test_older_boards_write_no_unit() -> None:
    assert parse_line(FIRST_NANO).values == {
        "POM_5V_IN": 4.096, "POM_5V_GPU": 0.04, "POM_5V_CPU": 0.204, "total": 4.096
    }  # fmt: skip


@pytest.mark.parametrize(
    "line", ["", "RAM 1/2MB SWAP 0/3MB", "VDD_IN mW/mW", "VDD_IN 12V/5A", "\N{REPLACEMENT CHARACTER}"]
)
def test_rubbish_is_no_reading(line: str) -> None:
    with pytest.raises(MeterFault, match="a line without rails"):
        parse_line(line)


def test_the_program_is_read_to_its_newest_line_and_ended() -> None:
    meter = Tegrastats(printing("print(line); print(line.replace('5704', '9000'), flush=True); time.sleep(60)"))
    assert meter.covers == "the module (VDD_IN)"
    meter.close()
    assert meter._child.returncode is not None


def test_of_lines_that_wait_the_newest_counts_and_half_a_line_waits_for_its_end() -> None:
    meter = Tegrastats(printing("print(line, flush=True); time.sleep(60)"))
    newer, half = ORIN_NANO.replace("5704", "9000"), ORIN_NANO[:200]
    meter._pending = f"{ORIN_NANO}\n{newer}\n{half}".encode()
    assert meter.read().values["total"] == 9.0
    assert meter._pending == half.encode()
    meter.close()


def test_a_program_that_ends_is_a_fault_and_no_loop() -> None:
    meter = Tegrastats(printing("print(line, flush=True)"))
    with pytest.raises(MeterFault, match="ended"):
        meter.read()
    meter.close()


def test_a_program_that_stalls_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tegrastats, "SILENCE_S", 0.05)
    began = time.monotonic()
    with pytest.raises(MeterFault, match="printed nothing"):
        Tegrastats(("sleep", "60"))
    assert time.monotonic() - began < 5


def test_endless_rubbish_takes_no_memory() -> None:
    with pytest.raises(MeterFault):
        Tegrastats((sys.executable, "-c", "print('x' * 1_000_000)"))


def test_a_machine_without_the_program() -> None:
    with pytest.raises(MeterFault, match="cannot be started"):
        Tegrastats(("no-such-tegrastats",))
