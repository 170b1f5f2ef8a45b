"""A key tells apart what must not be mixed up, and reads back as it was written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from edge_sr.artifacts.engine_key import BUILD_VERSION, Difference, EngineKey, Machine, machine_for, parse_key
from edge_sr.artifacts.strict_json import Fields
from edge_sr.device.facts import DeviceFacts
from edge_sr.errors import IntegrityError
from tests.engine_entries import KEY, MACHINE

FACTS = DeviceFacts(None, "x86_64", "Linux 6.8", "A processor", (), 2, 8000, ("avx2", "avx512_vnni"))
OTHER: dict[str, Any] = {
    "chain_sha256": "d" * 64,
    "sampler": "dpmsolver++",
    "steps": 2,
    "roles": ("encoder", "denoiser", "decoder"),
    "precision": "auto",
    "tile": 128,
    "batch": (1, 2, 4),
    "backend": "tensorrt",
    "backend_version": "1.30.0",
    "device": "Another processor",
    "instructions": ("avx2",),
    "compute_capability": "8.7",
    "sm_count": 8,
    "calibration_sha256": "",
    "options": {"threads": 0, "spinning": 1},
    "build_version": BUILD_VERSION + 1,
}


@dataclass
class Gpu:
    name: str = "tensorrt"
    version: str = "10.3.0, CUDA 12.6"
    device: str = "Orin"
    compute_capability: str = "8.7"
    sm_count: int = 8


@dataclass
class Cpu:
    name: str = "onnxruntime"
    version: str = "1.31.1"


def test_every_part_has_another_value_here() -> None:
    assert set(OTHER) == set(EngineKey.__dataclass_fields__)


@pytest.mark.parametrize("part", OTHER)
def test_every_part_changes_the_hash_and_is_named(part: str) -> None:
    other = replace(KEY, **{part: OTHER[part]})
    assert other.sha256 != KEY.sha256
    assert [each.part.partition(".")[0] for each in KEY.difference(other)] == [part]


def test_a_key_reads_back_as_it_was_written() -> None:
    for key in (KEY, replace(KEY, **OTHER)):
        assert parse_key(Fields(key.to_json(), "key.")) == key
    assert KEY.difference(KEY) == []


def test_the_order_of_options_is_no_difference() -> None:
    other = replace(KEY, options={"spinning": True, "threads": 0})
    assert other.sha256 == KEY.sha256 and KEY.difference(other) == []


def test_an_option_that_only_one_has_is_told() -> None:
    other = replace(KEY, options={"threads": 0})
    assert KEY.difference(other) == [Difference("options.spinning", "true", "not set")]


def test_the_hash_does_not_change_from_release_to_release() -> None:
    assert replace(KEY, build_version=1).sha256 == "b2b50d584a73143469f20ef71c036342ed4face4877ac4d47024d9c516c63ae6"


@pytest.mark.parametrize(
    ("part", "value"),
    [
        *(("chain_sha256", "c"), ("steps", 0), ("roles", []), ("roles", ["other"]), ("precision", "int4")),
        *(("batch", [1, 2]), ("batch", [2, 1, 4]), ("options", {"x": None}), ("options", {"x": [1]}), ("device", "")),
    ],
)
def test_an_unfit_part_is_named(part: str, value: object) -> None:
    with pytest.raises(IntegrityError, match=f"key.{part}"):
        parse_key(Fields(KEY.to_json() | {part: value}, "key."))


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(IntegrityError, match=r"key.colour: unknown field"):
        parse_key(Fields(KEY.to_json() | {"colour": 1}, "key."))


def test_a_processor_is_told_by_its_name_and_instructions() -> None:
    assert machine_for(Cpu(), FACTS) == MACHINE
    assert machine_for(Cpu(), replace(FACTS, board="Jetson", instructions=None)).device == "Jetson"


def test_a_gpu_is_told_by_its_own_facts_and_not_by_the_processor() -> None:
    assert machine_for(Gpu(), FACTS) == Machine("tensorrt", "10.3.0, CUDA 12.6", "Orin", (), "8.7", 8)


def test_a_key_serves_the_machine_it_was_made_on_and_no_other() -> None:
    assert KEY.machine == MACHINE and KEY.serves(MACHINE)
    assert not KEY.serves(replace(MACHINE, backend_version="1.32.0"))
    assert not replace(KEY, build_version=BUILD_VERSION + 1).serves(MACHINE)
