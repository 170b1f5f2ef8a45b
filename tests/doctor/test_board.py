from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge_sr.doctor import board
from tests.device.power.stand_ins import write_tree
from tests.doctor import boards
from tests.doctor.boards import one, surroundings


@pytest.mark.parametrize(
    ("machine", "name", "jetpack", "mode"),
    [
        (boards.orin_nano_jp6, "Orin Nano", "6.2, L4T 36.4.3", "sudo nvpmodel -m 2"),
        (boards.orin_nx_jp7, "Orin NX", "7, L4T 39.2.0", "sudo nvpmodel -m 2"),
        (boards.agx_orin_jp6, "AGX Orin", "6, L4T 36.4.7", ""),
    ],
)
def test_an_orin_is_ready_and_told_of_its_faster_mode(
    machine: object, name: str, jetpack: str, mode: str, tmp_path: Path
) -> None:
    checks = list(board.checks(surroundings(machine(tmp_path))))  # type: ignore[operator]
    assert name in one(checks, "board").found
    assert one(checks, "JetPack").found == jetpack
    assert one(checks, "power mode").hint == mode
    assert [check.name for check in checks if check.status == "fault"] == []


def test_the_first_nano_is_not_supported(tmp_path: Path) -> None:
    checks = list(board.checks(surroundings(boards.first_nano(tmp_path))))
    found = one(checks, "board")
    assert found.status == "fault"
    assert "not supported" in found.found and "INT8" in found.found
    assert found.hint.startswith("edge-sr run --backend onnxruntime")
    assert [check.name for check in checks] == ["processor", "memory", "board", "power meter", "time"]


def test_an_orin_with_jetpack_5_is_too_old(tmp_path: Path) -> None:
    tree = write_tree(boards.orin_nano_jp6(tmp_path), {"etc/nv_tegra_release": boards.release(35, "6.4")})
    found = one(board.checks(surroundings(tree)), "JetPack")
    assert (found.status, found.hint) == ("fault", board.FLASH)


@pytest.mark.parametrize("machine", [boards.laptop, boards.arm_box])
def test_elsewhere_nothing_is_said_of_jetpack(machine: object, tmp_path: Path) -> None:
    checks = list(board.checks(surroundings(machine(tmp_path))))  # type: ignore[operator]
    assert [check.name for check in checks] == ["processor", "memory", "power meter", "time"]
    assert not any(check.hint for check in checks)
    assert one(checks, "power meter").status == "absent"


def test_an_unknown_power_mode_says_how_to_ask(tmp_path: Path) -> None:
    here = surroundings(boards.orin_nano_jp6(tmp_path))
    assert here.jetson is not None
    assert board.check_power_mode(replace(here.jetson, power_mode=None)).hint == "sudo nvpmodel -q"


def test_clocks_that_follow_the_load_and_clocks_that_are_held(tmp_path: Path) -> None:
    tree = boards.orin_nano_jp6(tmp_path)
    free = one(board.checks(surroundings(tree)), "clocks")
    assert (free.status, free.hint.startswith("sudo jetson_clocks")) == ("note", True)
    assert "GPU 306 of 1020 MHz" in free.found
    highest = (1_020_000_000, 1_728_000)
    held = one(board.checks(surroundings(boards.clocks(tree, lowest=highest, highest=highest))), "clocks")
    assert (held.status, "1020 of 1020" in held.found) == ("ok", True)


def test_clocks_that_nobody_tells_are_no_fault() -> None:
    assert board.check_clocks([]).status == "note"


def test_throttling_now_and_over_current_since_the_start(tmp_path: Path) -> None:
    tree = boards.orin_nano_jp6(tmp_path)
    assert one(board.checks(surroundings(tree)), "heat").found == "tj-thermal 49 C; nothing is held down"
    write_tree(tree, {"sys/class/hwmon/hwmon3/oc1_event_cnt": 3})
    assert "3 times by over-current" in one(board.checks(surroundings(tree)), "heat").found
    cooling = "sys/class/thermal/cooling_device0"
    write_tree(tree, {f"{cooling}/type": "cpufreq-cpu0", f"{cooling}/cur_state": 2})
    assert "held down now by cpufreq-cpu0 2" in one(board.checks(surroundings(tree)), "heat").found


@pytest.mark.parametrize(
    ("machine", "available_mib", "status", "said"),
    [
        (boards.orin_nano_jp6, 1200, "note", "a build on the GPU may take 1.4 GiB"),
        (boards.orin_nano_jp6, 1500, "ok", "1.5 GiB of 7.6 GiB are free"),
        (boards.laptop, 1200, "ok", "1.2 GiB of"),
        (boards.laptop, 200, "note", "a run may take 300 MiB"),
        (boards.laptop, None, "note", "unknown"),
    ],
)
def test_memory(machine: object, available_mib: int | None, status: str, said: str, tmp_path: Path) -> None:
    here = surroundings(machine(tmp_path))  # type: ignore[operator]
    check = board.check_memory(replace(here, facts=replace(here.facts, available_mib=available_mib)))
    assert check.status == status
    assert said in check.found


def test_a_build_asks_for_no_more_than_is_told() -> None:
    compile_trt = pytest.importorskip("build_engines.targets.compile_trt", reason="needs the build extra")
    options = pytest.importorskip("build_engines.targets.trt_options").TrtOptions()
    weights_mib = 24
    assert options.workspace_mib + compile_trt._LIBRARIES_MIB + 3 * weights_mib <= board.BUILD_MIB


@pytest.mark.parametrize(
    ("features", "status", "said"),
    [(("asimddp",), "ok", "asimddp"), ((), "note", "no int8"), (None, "note", "unknown")],
)
def test_a_processor_is_never_a_fault(features: tuple[str, ...] | None, status: str, said: str, tmp_path: Path) -> None:
    here = surroundings(boards.arm_box(tmp_path))
    check = board.check_processor(replace(here, facts=replace(here.facts, cpu_features=features)))
    assert check.status == status
    assert said in check.found


def test_the_power_meter_and_why_not_the_better_one(tmp_path: Path) -> None:
    found = one(board.checks(surroundings(boards.orin_nano_jp6(tmp_path))), "power meter")
    assert found.status == "ok"
    assert found.found.startswith("ina3221: the module (VDD_IN); better ones do not answer (jtop: ")
    assert found.hint == "pip install jetson-stats"


def test_a_board_whose_rails_are_closed_says_so(tmp_path: Path) -> None:
    found = one(board.checks(surroundings(boards.orin(tmp_path, "NVIDIA Jetson Orin NX"))), "power meter")
    assert (found.status, found.hint) == ("note", "edge-sr power")
    assert "ina3221: no monitor with a named channel" in found.found


def test_a_clock_that_stands_at_the_epoch(tmp_path: Path) -> None:
    check = board.check_time(3600.0)
    assert (check.status, check.hint) == ("note", "sudo timedatectl set-ntp true")
    assert "1970-01-01" in check.found
    assert board.check_time(1_795_000_000.0).status == "ok"
