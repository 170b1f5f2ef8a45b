"""Whether pictures are copied to the GPU: measured both ways, recorded, read back strictly, and used.

The simulated GPU has no times, so what is measured here only shows that both modes ran.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from edge_sr.artifacts.engine_folder import cache_to_write
from edge_sr.backends.trt import TensorRT
from edge_sr.backends.trt.host_memory import (
    FILE,
    HostMemory,
    measure_host_memory,
    record_host_memory,
    recorded_host_memory,
    tensorrt_as_measured,
)
from edge_sr.errors import EnvironmentFault, IntegrityError
from tests.sim.engines import write_engine
from tests.sim.install import install
from tests.sim.libcuda import NAME
from tests.sim.machine import Machine

SIMULATED = NAME.decode()
ORIN = HostMemory("Orin", True, 2.0, 1.5, False)
COPIES_FASTER = HostMemory(SIMULATED, True, 1.0, 2.0, True)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(integrated=True)
    install(monkeypatch, machine)
    return machine


def test_both_modes_run_in_turn_and_nothing_is_left(machine: Machine, tmp_path: Path) -> None:
    measured = measure_host_memory(write_engine(tmp_path / "g.engine"), rounds=3)
    assert (measured.device, measured.integrated, measured.simulated) == (SIMULATED, True, True)
    assert machine.names.count("memcpy_dtoh_async") == (1 + 10 + 3) * 2  # calls, outputs
    assert (machine.faults, machine.leaks()) == ([], [])


@pytest.mark.parametrize(("copies_ms", "zero_copy"), [(1.4, False), (1.6, True)])
def test_the_faster_mode_is_the_choice(copies_ms: float, zero_copy: bool) -> None:
    measured = HostMemory("Orin", True, copies_ms, 1.5, False)
    assert measured.zero_copy is zero_copy
    assert measured.told == f"measured, 1.500 ms without copies, {copies_ms:.3f} ms with"


def test_a_simulated_measurement_tells_no_time() -> None:
    assert COPIES_FASTER.told == "simulated, not measured"


def test_what_is_recorded_is_read_back_by_device(tmp_path: Path) -> None:
    older = HostMemory("Orin", True, 9.0, 8.0, False)
    for each in (older, COPIES_FASTER, ORIN):
        record_host_memory(tmp_path, each)
    assert recorded_host_memory(tmp_path, "Orin") == ORIN
    assert recorded_host_memory(tmp_path, SIMULATED) == COPIES_FASTER
    assert recorded_host_memory(tmp_path, "Xavier") is None
    assert recorded_host_memory(tmp_path / "nowhere", "Orin") is None
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schema_version": 2}, "schema_version: got 2"),
        ({"more": 1}, "more: unknown field"),
        ({"devices": []}, "devices: got \\[\\]"),
        ({"devices": {"Orin": {}}}, "devices.Orin.integrated: field is missing"),
        ({"devices": {"Orin": {**vars(ORIN)}}}, "devices.Orin.device: unknown field"),
    ],
)
def test_a_record_that_is_not_ours_names_its_fault(change: dict[str, object], reason: str, tmp_path: Path) -> None:
    path = record_host_memory(tmp_path, ORIN)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(IntegrityError, match=reason):
        recorded_host_memory(tmp_path, "Orin")


def test_a_record_that_others_may_write_to_is_not_read(tmp_path: Path) -> None:
    record_host_memory(tmp_path, ORIN).chmod(0o666)
    with pytest.raises(IntegrityError, match="others may write to it"):
        recorded_host_memory(tmp_path, "Orin")


def test_a_damaged_record_is_replaced(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"{")
    record_host_memory(tmp_path, ORIN)
    assert recorded_host_memory(tmp_path, "Orin") == ORIN


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="nowhere"):
        record_host_memory(tmp_path / "nowhere", ORIN)


# what TensorRT does with it


def test_the_recorded_choice_is_used(machine: Machine, engine_cache: Path) -> None:
    assert tensorrt_as_measured().host_memory == "zero-copy: the GPU shares the processor's memory; not measured"
    record_host_memory(cache_to_write(), COPIES_FASTER)
    assert tensorrt_as_measured().host_memory == "copies: simulated, not measured"


def test_a_damaged_record_is_told_and_passed_over(machine: Machine, engine_cache: Path) -> None:
    (cache_to_write() / FILE).write_bytes(b"{")
    told: list[str] = []
    assert tensorrt_as_measured(told.append).zero_copy
    assert len(told) == 1 and told[0].endswith("so it is not used; try: edge-sr doctor --measure")


@pytest.mark.parametrize(
    "other", [HostMemory("Orin", True, 1.0, 2.0, True), HostMemory(SIMULATED, True, 1.0, 2.0, False)]
)
def test_a_record_of_another_gpu_or_of_none_is_not_used(other: HostMemory, machine: Machine) -> None:
    assert TensorRT(measured=other).host_memory == "zero-copy: the GPU shares the processor's memory; not measured"


def test_who_asks_is_heard(machine: Machine) -> None:
    assert TensorRT(zero_copy=True, measured=COPIES_FASTER).host_memory == "zero-copy: as asked for"
    machine.integrated = False
    assert TensorRT().host_memory == "copies: the GPU has a memory of its own; not measured"
