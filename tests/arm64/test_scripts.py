"""What scripts/arm64 computes and refuses, without an arm64 machine."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from edge_sr.device import facts
from edge_sr.image.png import write_png

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts" / "arm64"
if not SCRIPTS.is_dir():
    pytest.skip("no checkout beside the tests", allow_module_level=True)


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"arm64_{name}", SCRIPTS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


report, cpuinfo = script("report"), script("cpuinfo")

Write = Callable[[str, str, np.ndarray], None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes one side's picture and the record of what made it."""

    def call(side: str, name: str, pixels: np.ndarray, precision: str = "int8") -> None:
        path = tmp_path / side / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(path, pixels, text={})
        path.with_suffix(".json").write_text(json.dumps({"model_sha256": "a", "precision": precision}))

    return call


GREY8 = np.full((8, 8), 100, np.uint8)
GREY16 = np.full((8, 8), 25700, np.uint16)


@pytest.mark.parametrize(("pixels", "step", "levels"), [(GREY8, 2, 2.0), (GREY16, 257, 1.0), (GREY16, 1, 0.0039)])
def test_differences_count_in_levels_of_255(
    write: Write, tmp_path: Path, pixels: np.ndarray, step: int, levels: float
) -> None:
    other = pixels.copy()
    other[3, 4] -= step
    write("x86", "int8/a.png", pixels)
    write("arm64", "int8/a.png", other)
    (row,) = report.compare(tmp_path)
    assert row["name"] == "int8/a.png" and row["largest"] == levels and row["differing"] == round(1 / 64, 8)


def test_a_picture_that_one_side_lacks_is_no_agreement(write: Write, tmp_path: Path) -> None:
    write("x86", "int8/a.png", GREY8)
    with pytest.raises(ValueError, match="arm64 has"):
        report.compare(tmp_path)


def test_float32_in_the_place_of_int8_is_found(write: Write, tmp_path: Path) -> None:
    for side in ("x86", "arm64"):
        write(side, "int8/a.png", GREY8, "fp32")
    with pytest.raises(ValueError, match="not in int8"):
        report.compare(tmp_path)


def test_another_size_is_no_picture_to_compare(write: Write, tmp_path: Path) -> None:
    write("x86", "int8/a.png", GREY8)
    write("arm64", "int8/a.png", GREY8[:, :4])
    with pytest.raises(ValueError, match="one shape"):
        report.compare(tmp_path)


@pytest.mark.parametrize(("moved", "found"), [(4, 0), (20, 1)])
def test_an_int8_picture_has_to_be_as_near_to_float32(write: Write, tmp_path: Path, moved: int, found: int) -> None:
    """Four levels off in other pixels is as near as before, twenty are farther."""
    for side in ("x86", "arm64"):
        write(side, "fp32/a.png", GREY8, "fp32")
    for side, row, step in (("x86", 3, 4), ("arm64", 5, moved)):
        other = GREY8.copy()
        other[row] -= step
        write(side, "int8/a.png", other)
    assert len(report.farther_from_float32(tmp_path)) == found


def test_tests_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "tests.xml"
    path.write_text('<testsuites><testsuite tests="9" failures="1" errors="1" skipped="2"/></testsuites>')
    assert report.tests_told(path) == {"passed": 5, "skipped": 2, "failed": 2}


def test_an_x86_machine_in_the_place_of_arm64_is_found(tmp_path: Path) -> None:
    device = {"machine": "x86_64", "cpu_model": None, "instructions": None, "cores": 2}
    checks = [{"name": name, "found": "1"} for name in report.PACKAGES]
    told = json.dumps({"version": "0.1.0", "device": device, "checks": checks})
    (tmp_path / "doctor-arm64.json").write_text(told)
    with pytest.raises(ValueError, match="not on aarch64"):
        report.record(tmp_path, emulator="none", seconds=1, fresh_root=False)


def test_a_cpuinfo_is_read_back_as_what_the_emulator_told() -> None:
    text = cpuinfo.cpuinfo(0x119FFB, 2)  # of qemu's cortex-a76
    assert text.count("processor") == 2
    assert facts.cpu_features(text) == ("asimddp",)
    assert facts.instructions(text) == ("asimd", "asimddp", "asimdhp")


def refused(folder: Path, **programs: str) -> str:
    """What ``check`` says where nothing but these programs can be found."""
    for name, answer in {"dirname": "exec /usr/bin/dirname $*", "uname": "echo x86_64", **programs}.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{answer}\n")
        path.chmod(0o755)
    command = [str(SCRIPTS / "check"), "python", "wheel"]
    done = subprocess.run(command, env={"PATH": str(folder)}, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    return done.stderr


LINUX = 'if [ "$1" = -s ]; then echo Linux; else echo x86_64; fi'


def test_who_is_not_root_is_told_what_to_type(tmp_path: Path) -> None:
    assert "try: sudo make test-arm64" in refused(tmp_path, uname=LINUX, id="echo 1000")


def test_a_missing_program_is_named_with_its_package(tmp_path: Path) -> None:
    told = refused(tmp_path, uname=LINUX, id="echo 0", debootstrap="true")
    assert "qemu-aarch64-static is missing" in told and "apt-get install qemu-user-static" in told


def test_an_arm64_machine_needs_none_of_it(tmp_path: Path) -> None:
    assert "try: make test" in refused(tmp_path, uname="[ $1 = -s ] && echo Linux || echo aarch64")
