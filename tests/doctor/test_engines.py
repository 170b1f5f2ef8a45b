from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from edge_sr import models
from edge_sr.artifacts.bundle import Bundle, default_bundle
from edge_sr.artifacts.chain import chain_of
from edge_sr.artifacts.engine_cache import Standing
from edge_sr.artifacts.engine_entry import Entry
from edge_sr.doctor import engines, packages
from edge_sr.doctor.engines import (
    check_built,
    check_bundle,
    check_bundles,
    check_engine,
    check_hands,
    check_host_memory,
    judged_engines,
)
from edge_sr.errors import EnvironmentFault, IntegrityError
from tests.doctor import boards
from tests.doctor.boards import surroundings
from tests.engine_entries import manifest_of, put


def test_the_bundles_that_ship_are_sound() -> None:
    found = list(check_bundles())
    assert found
    assert {check.status for check in found} == {"ok"}


def test_a_folder_that_is_no_bundle_is_a_fault(tmp_path: Path) -> None:
    check = check_bundle(tmp_path / "nothing")
    assert (check.status, check.hint) == ("fault", engines.REINSTALL)


def test_a_bundle_that_was_changed_is_a_fault(fake: Bundle, tmp_path: Path) -> None:
    folder = shutil.copytree(fake.folder, tmp_path / "copy")
    assert check_bundle(folder).status == "ok"
    next(folder.rglob("*.onnx")).write_bytes(b"other")
    assert check_bundle(folder).status == "fault"


def test_an_empty_cache_is_not_spoken_of() -> None:
    assert judged_engines() == []


def test_a_damaged_engine_is_named_with_its_cure(engine_cache: Path) -> None:
    pytest.importorskip("onnxruntime")
    entry = put(engine_cache)
    (entry.folder / "upscale.ort").write_bytes(b"other")
    check = check_built(judged_engines())
    assert (check.status, check.hint) == ("note", "edge-sr engines prune")
    assert check.found.startswith(f"1 damaged ({entry.name}: upscale.ort: file was changed")


def test_engines_of_a_cache_that_others_may_write_to_are_neither_used_nor_pruned(engine_cache: Path) -> None:
    put(engine_cache)
    assert list(check_hands()) == []
    engine_cache.chmod(0o777)
    (check,) = check_hands()
    assert (check.status, check.hint) == ("note", f"chmod go-w '{engine_cache}'")
    assert "mode 0777" in check.found
    assert judged_engines() == []


def test_an_engine_of_another_machine_is_stale(engine_cache: Path) -> None:
    pytest.importorskip("onnxruntime")
    put(engine_cache)
    check = check_built(judged_engines())
    assert (check.status, check.found, check.hint) == ("note", "1 stale", "edge-sr engines prune")


def test_an_engine_of_a_backend_that_cannot_be_asked_needs_no_cure(engine_cache: Path) -> None:
    key = replace(manifest_of().key, backend="tensorrt", backend_version="10.3.0, CUDA 12.6", device="Orin")
    put(engine_cache, manifest_of(key))
    check = check_built(judged_engines())
    assert (check.found, check.hint) == ("1 elsewhere", "edge-sr engines list")


def test_without_an_engine_float32_runs(engine_cache: Path) -> None:
    pytest.importorskip("onnxruntime")
    (check,) = check_engine([])
    assert (check.name, check.status, check.hint) == ("engine", "note", "edge-sr build")
    assert check.found.startswith("none for this machine, so fp32 on onnxruntime ")


def test_engines_that_are_slower_than_float32_need_no_further_build() -> None:
    pytest.importorskip("onnxruntime")
    chain = chain_of(Bundle.open(default_bundle()))
    key = replace(manifest_of().key, chain_sha256=chain.sha256)
    (check,) = check_engine([(Entry(Path("cache/entry"), manifest_of(key)), Standing("sound"))])
    assert (check.status, check.hint) == ("ok", "")
    assert check.found.endswith("no engine is faster here")


def test_an_engine_that_does_not_load_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**options: object) -> object:
        raise IntegrityError("TensorRT 10.3.0 does not load it", hint="edge-sr build")

    monkeypatch.setattr(models, "load_model", refuse)
    (check,) = check_engine([])
    assert (check.status, check.hint) == ("fault", "edge-sr build")


def test_before_the_packages_are_there_nothing_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "packages_work", lambda: False)
    (check,) = engines.checks(surroundings(boards.laptop(tmp_path)))
    assert (check.name, check.status) == ("bundle", "note")


def test_before_a_backend_is_there_no_engine_is_looked_for(tmp_path: Path) -> None:
    checks = list(engines.checks(surroundings(boards.laptop(tmp_path), versions={})))
    assert checks[-1].found == "not looked for before ONNX Runtime is there"
    assert {check.name for check in checks[:-1]} == {"bundle"}


def record(folder: Path, **other: object) -> None:
    times = {"integrated": True, "copies_ms": 0.5, "zero_copy_ms": 0.25, "simulated": False, **other}
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    file = folder / "host-memory.json"
    file.write_text(json.dumps({"schema_version": 1, "devices": {"Orin": times}}))
    file.chmod(0o644)


@pytest.mark.parametrize(("zero_copy_ms", "chosen"), [(0.25, "zero-copy: "), (0.75, "copies: ")])
def test_what_was_measured_of_host_memory(zero_copy_ms: float, chosen: str, engine_cache: Path, tmp_path: Path) -> None:
    record(engine_cache, zero_copy_ms=zero_copy_ms)
    check = check_host_memory(surroundings(boards.orin_nano_jp6(tmp_path), gpu=boards.orin_gpu()))
    assert check is not None and check.status == "ok"
    assert check.found.startswith(chosen) and f"{zero_copy_ms:.3f} ms" in check.found


def test_a_simulated_record_cannot_pass_for_a_measurement(engine_cache: Path, tmp_path: Path) -> None:
    record(engine_cache, simulated=True)
    check = check_host_memory(surroundings(boards.orin_nano_jp6(tmp_path), gpu=boards.orin_gpu()))
    assert check is not None and check.status == "note"
    assert "simulated" in check.found and "ms" not in check.found


def test_a_board_that_was_not_measured_says_how(engine_cache: Path, tmp_path: Path) -> None:
    check = check_host_memory(surroundings(boards.orin_nano_jp6(tmp_path), gpu=boards.orin_gpu()))
    assert check is not None
    assert (check.status, check.hint) == ("note", "edge-sr doctor --measure (after edge-sr build)")
    assert check_host_memory(surroundings(boards.laptop(tmp_path / "pc"), gpu=boards.PC_GPU)) is None


def test_a_record_that_is_damaged_is_measured_anew(engine_cache: Path, tmp_path: Path) -> None:
    record(engine_cache, copies_ms="fast")
    check = check_host_memory(surroundings(boards.orin_nano_jp6(tmp_path), gpu=boards.orin_gpu()))
    assert check is not None
    assert (check.status, check.hint) == ("note", "edge-sr doctor --measure")


def test_without_a_gpu_nothing_can_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    boards.without_driver(monkeypatch)
    with pytest.raises(EnvironmentFault, match="no CUDA driver"):
        engines.measure()
