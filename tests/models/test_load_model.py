from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from edge_sr.artifacts.bundle import Bundle
from edge_sr.artifacts.chain import chain_of
from edge_sr.artifacts.engine_entry import Entry
from edge_sr.artifacts.engine_key import machine_for
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.device.facts import read_facts
from edge_sr.errors import EnvironmentFault, IntegrityError, UsageError
from edge_sr.models import load_first, load_model
from tests.engine_entries import KEY, manifest_of, put


def test_bicubic_needs_no_bundle() -> None:
    assert load_model("bicubic").provenance["model"] == "bicubic"


def test_a_bundle_folder_is_loaded_by_its_family(tiny: Bundle) -> None:
    with load_model(tiny.folder, sampler="ddpm", steps=7, threads=1) as model:
        provenance = model.provenance
    assert (model.scale, model.tile, model.degradation) == (4, 64, "area")
    assert provenance["model"] == "tiny 0.0.1" and provenance["model_sha256"] == tiny.sha256
    assert (provenance["sampler"], provenance["steps"]) == ("ddpm", 7)


@pytest.mark.parametrize("options", [{"steps": 3}, {"sampler": "ddim"}])
def test_bicubic_refuses_what_it_has_not(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="bicubic has neither sampler nor steps"):
        load_model("bicubic", **options)


def test_an_unknown_name_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such model"):
        load_model(tmp_path / "nowhere")


def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=r"manifest\.json"):
        load_model(tmp_path)


@pytest.fixture
def int8(tiny: Bundle, engine_cache: Path) -> Entry:
    """An engine of the tiny bundle for this machine, which nothing could run."""
    machine = machine_for(OnnxRuntime(), read_facts())
    return put(engine_cache, manifest_of(replace(KEY, chain_sha256=chain_of(tiny).sha256, **asdict(machine))))


@pytest.mark.parametrize("precision", ["auto", "int8"])
def test_an_engine_is_taken_where_it_is_asked_for(tiny: Bundle, int8: Entry, precision: str) -> None:
    with load_model(tiny.folder, precision=precision) as model:
        provenance = model.provenance
    assert (provenance["precision"], provenance["engine"]) == ("int8", int8.name)


def test_unless_asked_for_it_is_float32(tiny: Bundle, int8: Entry) -> None:
    with load_model(tiny.folder) as model:
        assert (model.provenance["precision"], model.provenance["engine"]) == ("fp32", None)


def test_an_engine_that_is_not_there_is_a_fault_of_the_machine(tiny: Bundle, int8: Entry) -> None:
    with pytest.raises(EnvironmentFault, match="no fp16 engine of this model"):
        load_model(tiny.folder, precision="fp16")
    with pytest.raises(EnvironmentFault, match="no int8 engine of this model"):
        load_model(tiny.folder, precision="int8", steps=2)


def test_bicubic_has_no_engines() -> None:
    assert load_model("bicubic", precision="auto").scale == 4
    with pytest.raises(UsageError, match="--precision int8: bicubic has no engines"):
        load_model("bicubic", precision="int8")


def test_the_next_model_is_taken_where_an_engine_is_missing(tiny: Bundle, generator: Bundle) -> None:
    told: list[str] = []
    with load_first([str(tiny.folder), str(generator.folder), "bicubic"], precision="int8", note=told.append) as model:
        assert model.provenance["model"] == "bicubic"
    assert [reason.partition(": ")[0] for reason in model.instead_of] == ["tiny", "generator"]
    assert "no int8 engine" in model.instead_of[0] and len(told) == 2


def test_the_next_model_is_taken_where_a_bundle_is_damaged(tmp_path: Path, generator: Bundle) -> None:
    damaged = shutil.copytree(generator.folder, tmp_path / "damaged")
    (damaged / "onnx" / "generator.onnx").write_bytes(b"no network")
    with load_first([str(damaged), str(generator.folder)]) as model:
        assert model.provenance["model_sha256"] == generator.sha256
    assert len(model.instead_of) == 1 and model.instead_of[0].startswith("damaged: file was changed")


def test_the_first_model_stands_in_for_nobody(generator: Bundle) -> None:
    with load_first([str(generator.folder), "bicubic"]) as model:
        assert model.instead_of == ()


def test_where_none_can_be_had_the_last_ones_fault_is_told(tiny: Bundle) -> None:
    with pytest.raises(EnvironmentFault, match="no int8 engine"):
        load_first([str(tiny.folder), str(tiny.folder)], precision="int8")


def test_a_wrong_name_is_no_reason_for_the_next_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such model"):
        load_first([str(tmp_path / "nowhere"), "bicubic"])
