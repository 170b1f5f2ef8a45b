from __future__ import annotations

import grp
import os
from dataclasses import replace
from pathlib import Path

import pytest

from edge_sr.doctor import gpu
from edge_sr.doctor.imports import Imported
from edge_sr.errors import EnvironmentFault
from tests.device.power.stand_ins import write_tree
from tests.doctor import boards
from tests.doctor.boards import one, surroundings


@pytest.mark.parametrize("machine", [boards.laptop, boards.arm_box])
def test_without_a_gpu_all_of_it_is_one_line(machine: object, tmp_path: Path) -> None:
    (only,) = gpu.checks(surroundings(machine(tmp_path)))  # type: ignore[operator]
    assert (only.name, only.status, only.hint) == ("gpu", "absent", "")


def test_of_a_board_that_is_not_supported_nothing_more_is_asked(tmp_path: Path) -> None:
    (only,) = gpu.checks(surroundings(boards.first_nano(tmp_path)))
    assert only.status == "absent"


def test_an_orin_tells_its_gpu(tmp_path: Path) -> None:
    here = surroundings(boards.orin_nano_jp6(tmp_path), gpu=boards.orin_gpu())
    found = gpu.check_driver(here)
    assert (found.status, found.found) == (
        "ok",
        "Orin, sm_87, 8 SM, 7.6 GiB (shares the processor's memory), CUDA 12.6",
    )


def test_a_board_whose_driver_does_not_start_is_a_fault_and_a_pc_s_is_not(tmp_path: Path) -> None:
    board = gpu.check_driver(surroundings(boards.orin_nano_jp6(tmp_path / "board")))
    assert (board.status, board.hint) == ("fault", "sudo apt-get install --reinstall nvidia-l4t-cuda")
    pc = write_tree(boards.laptop(tmp_path / "pc"), {"dev/nvidiactl": "", "proc/driver/nvidia/version": "565"})
    assert gpu.check_driver(surroundings(pc)).status == "note"


def test_in_a_container_without_the_gpu_the_cure_is_docker_s(tmp_path: Path) -> None:
    tree = write_tree(boards.orin(tmp_path, "NVIDIA Jetson Orin NX"), {".dockerenv": ""})
    assert gpu.check_driver(surroundings(tree)).hint.startswith("docker run --runtime nvidia")


def closed(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Files that this user may not open; root, who runs the tests in some places, may open all."""
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith(names) and real(path, mode))


def test_devices_that_are_closed_name_the_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = surroundings(boards.orin_nano_jp6(tmp_path), gpu=boards.orin_gpu())
    closed(monkeypatch, "nvmap", "renderD128")
    video = (here.root / "dev/nvmap").stat().st_ino
    monkeypatch.setattr(gpu, "group_that_may", lambda status: "video" if status.st_ino == video else "render")
    monkeypatch.setattr(gpu, "_user", lambda: "ada")
    (found,) = gpu.check_devices(here)
    assert found.status == "fault"
    assert found.found == "/dev/nvmap, /dev/dri/renderD128 closed to user ada, open to render and video"
    assert found.hint == "sudo usermod -aG render,video ada (then log in again)"


def test_devices_that_no_group_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed(monkeypatch, "nvmap")
    here = surroundings(boards.orin_nano_jp6(tmp_path), gpu=boards.orin_gpu())
    (tmp_path / "dev/nvmap").chmod(0o600)
    (found,) = gpu.check_devices(here)
    assert found.hint == "ls -l /dev/nvmap"


def test_a_driver_that_does_not_start_over_closed_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = surroundings(boards.orin_nano_jp6(tmp_path))
    here = replace(
        here, gpu_fault=EnvironmentFault("CUDA does not start: cuInit says 'no device' (100)", hint="reboot")
    )
    assert gpu.check_driver(here).hint == "reboot"
    closed(monkeypatch, "nvmap")
    monkeypatch.setattr(gpu, "group_that_may", lambda status: "video")
    assert gpu.check_driver(here).hint.startswith("sudo usermod -aG video ")


def status_of(mode: int, gid: int) -> os.stat_result:
    return os.stat_result((mode, 1, 1, 1, 0, gid, 0, 0, 0, 0))


def test_a_group_helps_where_it_may_read() -> None:
    group = next(each for each in grp.getgrall() if each.gr_gid)
    assert gpu.group_that_may(status_of(0o20440, group.gr_gid)) == group.gr_name
    assert gpu.group_that_may(status_of(0o20600, group.gr_gid)) == ""
    assert gpu.group_that_may(status_of(0o20440, 0)) == ""
    assert gpu.group_that_may(status_of(0o20440, 987_654)) == "987654"


def test_a_laptop_s_render_node_is_none_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed(monkeypatch, "renderD128")
    assert list(gpu.check_devices(surroundings(boards.laptop(tmp_path), gpu=boards.PC_GPU))) == []


def test_the_toolkit_is_read_from_json_and_from_its_header(tmp_path: Path) -> None:
    here = surroundings(boards.orin_nano_jp6(tmp_path / "a"), gpu=boards.orin_gpu())
    assert gpu.toolkit_version(here) == "12.6.11"
    tree = write_tree(boards.laptop(tmp_path / "b"), {"usr/local/cuda/include/cuda.h": "#define CUDA_VERSION 13020"})
    assert gpu.toolkit_version(surroundings(tree)) == "13.2"
    assert gpu.toolkit_version(replace(here, root=tmp_path / "c")) is None


def test_a_toolkit_newer_than_the_driver_is_noted(tmp_path: Path) -> None:
    here = surroundings(boards.orin_nx_jp7(tmp_path), gpu=boards.orin_gpu("12.6"))
    found = gpu.check_toolkit(here)
    assert (found.status, found.hint) == ("note", "sudo apt-get install cuda-nvcc-12-6")
    assert gpu.check_toolkit(replace(here, gpu=boards.orin_gpu("13.2"))).status == "ok"


def test_a_pc_that_does_without_tensorrt_has_one_line_for_it(tmp_path: Path) -> None:
    checks = list(gpu.checks(surroundings(boards.laptop(tmp_path), gpu=boards.PC_GPU)))
    assert [check.name for check in checks] == ["driver", "toolkit", "tensorrt"]
    assert one(checks, "tensorrt").status == "note"


def test_a_board_without_tensorrt_is_at_fault(tmp_path: Path) -> None:
    here = surroundings(boards.orin_nano_jp6(tmp_path), gpu=boards.orin_gpu(), pycuda=Imported(cuda="12.6"))
    checks = list(gpu.checks(here))
    assert one(checks, "tensorrt").status == "fault"
    assert one(checks, "tensorrt").hint == "sudo apt-get install python3-libnvinfer"
    assert one(checks, "pycuda").status == "ok"
