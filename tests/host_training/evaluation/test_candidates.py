from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_sr.artifacts.bundle import Bundle
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.errors import UsageError
from host_training.evaluation.candidates import Candidate, candidates, check_fit
from host_training.evaluation.pictures import PictureSet


def keys(*words: object) -> list[str]:
    return [candidate.key for candidate in candidates([str(word) for word in words], OnnxRuntime(1))]


def of_degradation(bundle: Bundle, degradation: str) -> Candidate:
    manifest = replace(bundle.manifest, input=replace(bundle.manifest.input, degradation=degradation))
    return Candidate("toy", replace(bundle, manifest=manifest))


def made_by(degradation: str) -> PictureSet:
    nothing = np.zeros((0, 0), np.uint8)
    return PictureSet(degradation, degradation, ("a",), ("A",), 256, "", "", lambda number, side: (nothing, nothing))


def test_without_words_the_default_bundle_is_measured() -> None:
    assert keys() == keys("default")


def test_a_bundle_is_called_by_its_name(tiny: Bundle) -> None:
    assert keys(tiny.folder) == ["tiny"]


def test_bundles_of_one_name_are_told_apart(tiny: Bundle) -> None:
    assert keys(tiny.folder, f"{tiny.folder}@ddim:4", tiny.folder) == ["tiny", "tiny-ddim-4", "tiny-2"]


def test_a_sampler_behind_the_bundle_is_run(tiny: Bundle) -> None:
    (chosen,) = candidates([f"{tiny.folder}@ddpm:300"], OnnxRuntime(1))
    told = chosen.to_json(OnnxRuntime(1))
    assert (told["sampler"], told["steps"], told["sha256"]) == ("ddpm", 300, tiny.sha256)


@pytest.mark.parametrize(
    ("run", "reason"),
    [("4", "BUNDLE@SAMPLER:STEPS"), ("ddim:", "BUNDLE@SAMPLER:STEPS"), ("ddim:301", "1 to 300"), ("euler:4", "ddpm")],
)
def test_a_sampler_that_cannot_be_run_is_refused(tiny: Bundle, run: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as refused:
        keys(f"{tiny.folder}@{run}")
    assert refused.value.where == f"{tiny.folder}@{run}"


def test_a_folder_with_that_sign_in_its_name_is_a_bundle_still(tiny: Bundle, tmp_path: Path) -> None:
    (tmp_path / "of@home").symlink_to(tiny.folder)
    assert keys(tmp_path / "of@home") == ["tiny"]


@pytest.mark.parametrize(
    ("bundle", "pictures", "fit"),
    [
        ("area", "area", True),
        ("area", "high-order", False),
        ("cubic", "area", False),
        ("cubic", "cubic", True),
        ("cubic", "cubic-from-hr", True),
    ],
)
def test_a_bundle_is_measured_on_its_own_degradation(tiny: Bundle, bundle: str, pictures: str, fit: bool) -> None:
    assert of_degradation(tiny, bundle).fits(made_by(pictures)) == fit


def test_a_bundle_that_no_set_fits_is_refused(tiny: Bundle) -> None:
    with pytest.raises(
        UsageError, match=r"(?s)degradation cubic.*prepare PICTURES -o STORE --degradation cubic"
    ) as refused:
        check_fit([of_degradation(tiny, "area"), of_degradation(tiny, "cubic")], [made_by("area")])
    assert "area (area)" in refused.value.what
    check_fit([of_degradation(tiny, "cubic")], [made_by("area"), made_by("cubic")])
