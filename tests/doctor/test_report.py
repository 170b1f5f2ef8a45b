from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_sr.doctor import GROUPS, SCHEMA_VERSION, all_checks, as_report, report
from edge_sr.doctor.imports import Imported
from tests.doctor import boards
from tests.doctor.boards import surroundings

PYCUDA, CUDA = Imported(version="2026.1", cuda="12.6"), Imported(version="12.6.2")


def test_this_machine_can_be_reported(tmp_path: Path) -> None:
    whole = report(tmp_path)
    assert whole["schema_version"] == SCHEMA_VERSION
    names = [check["name"] for check in json.loads(json.dumps(whole))["checks"]]
    assert {"python", "processor", "bundle", "output"} <= set(names)


def test_every_check_has_a_group_and_groups_come_in_order(tmp_path: Path) -> None:
    found = [check.group for check in all_checks(surroundings(boards.laptop(tmp_path)))]
    assert list(dict.fromkeys(found)) == list(GROUPS)
    assert found == sorted(found, key=list(GROUPS).index)


@pytest.mark.parametrize("machine", [boards.orin_nano_jp6, boards.orin_nx_jp7, boards.agx_orin_jp6])
def test_an_orin_whose_packages_are_missing_is_not_ok(machine: object, tmp_path: Path) -> None:
    here = surroundings(machine(tmp_path), gpu=boards.orin_gpu())  # type: ignore[operator]
    whole = as_report(here, all_checks(here))
    assert whole["ok"] is False
    assert whole["jetson"] is not None and whole["gpu"] is not None
    faults = {str(check["name"]) for check in whole["checks"] if check["status"] == "fault"}  # type: ignore[attr-defined]
    assert {"tensorrt", "pycuda"} <= faults


def test_every_fault_has_its_cure(tmp_path: Path) -> None:
    trees = (boards.orin_nano_jp6, boards.first_nano, boards.arm_box, boards.laptop)
    for number, machine in enumerate(trees):
        here = surroundings(machine(tmp_path / str(number)), versions={})
        faults = [check for check in all_checks(here) if check.status == "fault"]
        assert faults
        assert not [check for check in faults if not check.hint]


def test_on_a_laptop_nothing_speaks_of_boards_and_gpus(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    here = surroundings(boards.laptop(tmp_path))
    checks = list(all_checks(here))
    text = "\n".join(check.found + check.hint for check in checks)
    assert [word for word in ("Jetson", "JetPack", "TensorRT", "PyCUDA", "nvpmodel") if word in text] == []
    assert [check.name for check in checks if check.group == "GPU"] == ["gpu"]
    assert as_report(here, checks)["ok"] is True
