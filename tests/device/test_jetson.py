from __future__ import annotations

from pathlib import Path

import pytest

from edge_sr.device.jetson import (
    Jetson,
    chip_of,
    l4t_version,
    mode_number,
    package_version,
    power_modes,
    read_clock_limits,
    read_jetson,
)
from tests.doctor import boards


def test_an_orin_nano_with_jetpack_6_2(tmp_path: Path) -> None:
    found = read_jetson(boards.orin_nano_jp6(tmp_path))
    assert found is not None
    assert (found.family, found.l4t, found.jetpack, found.power_mode) == ("Orin", "36.4.3", "6.2", "15W")
    assert found.modes == ((0, "15W"), (1, "25W"), (2, "MAXN_SUPER"))


def test_without_its_package_jetpack_follows_from_l4t(tmp_path: Path) -> None:
    found = read_jetson(boards.orin_nx_jp7(tmp_path))
    assert found is not None
    assert (found.l4t, found.jetpack, found.l4t_major) == ("39.2.0", "7", 39)


@pytest.mark.parametrize("machine", [boards.laptop, boards.arm_box])
def test_other_machines_are_no_jetson(machine: object, tmp_path: Path) -> None:
    assert read_jetson(machine(tmp_path)) is None  # type: ignore[operator]


def test_in_a_container_the_device_tree_alone_tells(tmp_path: Path) -> None:
    found = read_jetson(boards.orin(tmp_path, "NVIDIA Jetson AGX Orin Developer Kit"))
    assert found is not None
    assert (found.chip, found.l4t, found.jetpack, found.l4t_major) == ("tegra234", None, None, None)


@pytest.mark.parametrize(
    ("text", "version"),
    [(boards.release(36, "4.3"), "36.4.3"), (boards.release(39, "2.0"), "39.2.0"), ("", None), ("R36", None)],
)
def test_l4t(text: str, version: str | None) -> None:
    assert l4t_version(text) == version


def test_a_chip_of_another_vendor_is_none() -> None:
    assert chip_of("raspberrypi,5-model-b\0brcm,bcm2712\0") == ""
    assert chip_of("nvidia,p3971-0089+p3834-0008\0nvidia,tegra264\0") == "tegra264"


def test_a_package_that_was_removed_has_no_version() -> None:
    kept = b"Package: nvidia-jetpack\nStatus: deinstall ok config-files\nVersion: 6.1+b123\n"
    assert package_version(kept, "nvidia-jetpack") is None
    assert package_version(kept.replace(b"deinstall ok config-files", b"install ok installed"), "nvidia") is None
    installed = boards.dpkg(nvidia_jetpack="6.2+b77", nvidia_jetpack_dev="1").encode()
    assert package_version(installed, "nvidia-jetpack") == "6.2+b77"


def test_power_modes_are_the_board_s_own() -> None:
    assert power_modes("< POWER_MODEL ID=0 NAME=MAXN >\n# < POWER_MODEL ID=9 NAME=X >\n<POWER_MODEL ID=1 NAME=5W>") == (
        (0, "MAXN"),
        (1, "5W"),
    )
    assert mode_number("pmode:0002 fmode:quiet") == 2
    assert mode_number("") is None


def test_clocks_are_those_of_gpu_and_cores(tmp_path: Path) -> None:
    limits = read_clock_limits(boards.orin_nano_jp6(tmp_path))
    assert [each.part for each in limits] == ["GPU", "cpu0", "cpu1"]
    assert (limits[0].lowest_mhz, limits[0].highest_mhz, limits[0].now_mhz) == (306.0, 1020.0, 306.0)
    assert limits[1].highest_mhz == 1728.0
    assert not any(each.held for each in limits)


def test_a_machine_that_tells_no_clocks(tmp_path: Path) -> None:
    assert read_clock_limits(tmp_path) == []


@pytest.mark.parametrize(
    ("chip", "supported"), [("tegra234", True), ("tegra264", True), ("tegra999", True), ("tegra210", False)]
)
def test_orin_thor_and_what_is_not_known_yet_are_supported(chip: str, supported: bool) -> None:
    assert Jetson(chip).supported is supported
