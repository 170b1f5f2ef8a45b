from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge_sr.doctor import gpu_packages
from edge_sr.doctor.imports import Imported
from edge_sr.doctor.surroundings import Surroundings
from tests.doctor import boards
from tests.doctor.boards import one, surroundings

APT = "/usr/lib/python3.10/dist-packages/tensorrt/__init__.py"


@pytest.fixture
def orin(tmp_path: Path) -> Surroundings:
    return surroundings(boards.orin_nano_jp6(tmp_path / "orin"), gpu=boards.orin_gpu())


@pytest.fixture
def pc(tmp_path: Path) -> Surroundings:
    return surroundings(boards.laptop(tmp_path / "pc"), gpu=boards.PC_GPU)


def tensorrt(folder: Path, version: str = "10.3.0", *resources: str, number: int = 100_300) -> Imported:
    """An import that loaded its library from ``folder``, beside which the resources lie."""
    for name in resources:
        (folder / name).touch()
    return Imported(version=version, file=APT, library=str(folder / f"libnvinfer.so.{version}"), number=number)


def test_a_whole_jetpack_6_is_ok(orin: Surroundings, tmp_path: Path) -> None:
    found = tensorrt(tmp_path, "10.3.0", "libnvinfer_builder_resource.so.10.3.0")
    imports = {"tensorrt": found, "pycuda": Imported(version="2026.1", cuda="12.6"), "cuda": Imported(version="12.6.2")}
    checks = list(gpu_packages.checks(replace(orin, try_import=imports.__getitem__)))
    assert [check.name for check in checks] == ["tensorrt", "nvinfer", "builder", "pycuda", "cuda-python"]
    assert {check.status for check in checks} == {"ok"}
    assert one(checks, "pycuda").found == "2026.1, compiled for CUDA 12.6"


def test_halves_of_two_versions_are_a_fault(orin: Surroundings, tmp_path: Path) -> None:
    check = gpu_packages.check_halves(orin, tensorrt(tmp_path, number=100_700))
    assert check.status == "fault"
    assert "10.7.0" in check.found and "10.3.0" in check.found
    assert check.hint == "sudo apt-get install --reinstall libnvinfer10 python3-libnvinfer"


def test_a_build_number_behind_the_version_is_no_difference(orin: Surroundings, tmp_path: Path) -> None:
    found = tensorrt(tmp_path, "10.16.2.10", number=101_602)
    assert gpu_packages.check_halves(orin, found).status == "ok"


@pytest.mark.parametrize(("number", "version"), [(100_300, "10.3.0"), (101_602, "10.16.2"), (8602, "8.6.2")])
def test_the_library_s_number(number: int, version: str) -> None:
    assert gpu_packages.library_version(number) == version


@pytest.mark.parametrize(
    ("resources", "status"),
    [
        (("libnvinfer_builder_resource.so.10.16.2",), "ok"),
        (("libnvinfer_builder_resource_sm86.so.10.16.2",), "ok"),
        (("libnvinfer_builder_resource_sm89.so.10.16.2", "libnvinfer_builder_resource_ptx.so.10.16.2"), "fault"),
        (("libnvinfer_builder_resource_sm86.so.10.3.0",), "fault"),
        (("libnvinfer_builder_resource_win_sm86.so.10.16.2",), "fault"),
        ((), "fault"),
    ],
)
def test_an_orin_builds_with_the_resources_of_sm86(
    resources: tuple[str, ...], status: str, orin: Surroundings, tmp_path: Path
) -> None:
    check = gpu_packages.check_resources(orin, tensorrt(tmp_path, "10.16.2.10", *resources))
    assert check.status == status
    assert bool(check.hint) == (status == "fault")


def test_a_missing_resource_is_named(orin: Surroundings, tmp_path: Path) -> None:
    found = tensorrt(tmp_path, "10.16.2", "libnvinfer_builder_resource_sm110.so.10.16.2")
    assert gpu_packages.check_resources(orin, found).found.startswith("libnvinfer_builder_resource_sm86.so.10.16.2 is")


def test_a_copy_from_pip_hides_the_board_s_own(orin: Surroundings, pc: Surroundings) -> None:
    pip = Imported(version="10.3.0", file="/home/ada/edge-sr/lib/python3.10/site-packages/tensorrt/__init__.py")
    assert gpu_packages.check_tensorrt(orin, pip).hint == gpu_packages.REMOVE_PIP_S
    assert gpu_packages.check_tensorrt(pc, pip).status == "ok"


def test_an_import_that_crashes_is_told(orin: Surroundings) -> None:
    check = gpu_packages.check_tensorrt(orin, Imported(error="the import crashes (SIGSEGV)"))
    assert check.status == "fault"
    assert "SIGSEGV" in check.found
    assert check.hint == "sudo apt-get install python3-libnvinfer --reinstall"


def test_pycuda_for_a_newer_cuda_than_the_driver_s(orin: Surroundings, pc: Surroundings) -> None:
    newer = Imported(version="2026.1", cuda="13.0")
    assert gpu_packages.check_pycuda(orin, newer).status == "fault"
    assert "--no-cache-dir --no-binary pycuda" in gpu_packages.check_pycuda(orin, newer).hint
    assert gpu_packages.check_pycuda(pc, newer).status == "note"
    jetpack_7 = replace(orin, gpu=boards.orin_gpu("13.2"))
    assert gpu_packages.check_pycuda(jetpack_7, newer).status == "ok"


def test_pycuda_compiled_against_numpy_1_is_compiled_anew(orin: Surroundings) -> None:
    check = gpu_packages.check_pycuda(orin, Imported(error="ImportError: numpy.core.multiarray failed to import"))
    assert (check.status, check.hint) == ("fault", gpu_packages.COMPILE_PYCUDA)


@pytest.mark.parametrize(
    ("imported", "status"),
    [
        (Imported(found=False), "note"),
        (Imported(error="ImportError: no"), "note"),
        (Imported(version="13.5.0"), "note"),
        (Imported(version="12.6.2"), "ok"),
    ],
)
def test_cuda_python_is_wanted_and_not_needed(imported: Imported, status: str, orin: Surroundings) -> None:
    check = gpu_packages.check_cuda_python(orin, imported)
    assert check.status == status
    assert check.hint == ("" if status == "ok" else 'pip install "cuda-python<13"')
