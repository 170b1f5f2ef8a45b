from __future__ import annotations

from dataclasses import replace

import pytest

from edge_sr.models.bicubic import Bicubic
from edge_sr.pipeline import job_key, key_of, upscale
from tests.pipeline.pictures import NoisyBicubic, radiograph

SOURCE = radiograph(64, 64)


@pytest.mark.parametrize("options", [{}, {"seed": 3}, {"fidelity": 0.5}, {"seed": 1, "samples": 2}, {"fidelity": 1}])
def test_the_key_is_known_before_and_stands_in_the_record(options: dict[str, float]) -> None:
    provenance = upscale(SOURCE, NoisyBicubic(), **options).provenance
    assert provenance["job_key"] == job_key(SOURCE, NoisyBicubic(), **options) == key_of(provenance)


@pytest.mark.parametrize("options", [{"seed": 1}, {"fidelity": 0.25}, {"samples": 2}, {"seed": 2, "fidelity": 0.25}])
def test_another_making_has_another_key(options: dict[str, float]) -> None:
    assert job_key(SOURCE, NoisyBicubic(), **options) != job_key(SOURCE, NoisyBicubic())


def test_another_input_has_another_key() -> None:
    assert job_key(replace(SOURCE, sha256="1" * 64), Bicubic()) != job_key(SOURCE, Bicubic())


def test_what_no_pixel_depends_on_is_not_in_the_key() -> None:
    model = NoisyBicubic()
    model.instead_of = ("default: no engine",)
    assert job_key(replace(SOURCE, note="rotated"), model) == job_key(SOURCE, NoisyBicubic())


@pytest.mark.parametrize("field", ["model", "model_sha256", "engine_sha256", "backend", "precision", "version"])
def test_a_changed_record_has_another_key(field: str) -> None:
    provenance = dict(upscale(SOURCE, Bicubic()).provenance)
    assert key_of({**provenance, field: "another"}) != provenance["job_key"]
