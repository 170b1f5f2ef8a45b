"""The feed-forward bundle that ships in the package, run as a user runs it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from edge_sr.artifacts.bundle import Bundle, bundle_folder, shipped_bundle, word_for
from edge_sr.image.bicubic import upsample_bicubic
from edge_sr.image.consistency import area_mean
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.quality import psnr
from edge_sr.image.radiograph import Radiograph, from_unit, to_unit
from edge_sr.models import load_model
from edge_sr.models.base import SRModel
from edge_sr.pipeline import upscale

pytest.importorskip("onnxruntime", reason="the bundle runs on ONNX Runtime")

LARGEST_MB = 3


@pytest.fixture(scope="module")
def model() -> Iterator[SRModel]:
    with load_model("fast", threads=1) as opened:
        yield opened


def test_it_is_found_by_its_word() -> None:
    assert bundle_folder("fast") == shipped_bundle("fast")
    assert (word_for(shipped_bundle("fast")), word_for(bundle_folder())) == ("fast", "default")


def test_it_is_small() -> None:
    files = [path for path in shipped_bundle("fast").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= LARGEST_MB * 1e6


def test_it_carries_ranges_that_held_the_gates() -> None:
    (table,) = Bundle.open(shipped_bundle("fast")).manifest.calibration
    assert (table.sampler, table.steps) == ("feedforward", 1)
    assert set(table.checked) >= {"truth_sha256", "onnxruntime", "tensorrt"}


def test_its_picture_is_nearer_to_the_truth_than_bicubic(model: SRModel) -> None:
    hr = chest_phantom(256, seed=3)
    lr = from_unit(area_mean(to_unit(hr)), 8)
    result = upscale(Radiograph(lr, 8, "0" * 64, "", None), model)
    assert psnr(result.pixels, hr) > psnr(from_unit(upsample_bicubic(to_unit(lr)), 8), hr)
    assert float(str(result.provenance["lr_rmse"])) <= 0.15


def test_it_draws_nothing(model: SRModel) -> None:
    lr = from_unit(area_mean(to_unit(chest_phantom(256, seed=1))), 8)
    radiograph = Radiograph(lr, 8, "0" * 64, "", None)
    pictures = [upscale(radiograph, model, seed=seed, fidelity=0.0).pixels for seed in (0, 1)]
    np.testing.assert_array_equal(*pictures)
