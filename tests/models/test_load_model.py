from __future__ import annotations

from pathlib import Path

import pytest

from edge_sr.artifacts.bundle import Bundle
from edge_sr.errors import IntegrityError, UsageError
from edge_sr.models import load_model


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
