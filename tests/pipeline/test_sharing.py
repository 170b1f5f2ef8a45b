"""Several pictures through one model at once: the bits of each are those that it has by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from edge_sr.artifacts.bundle import Bundle, default_bundle
from edge_sr.artifacts.chain import Networks
from edge_sr.errors import UsageError
from edge_sr.image.radiograph import Radiograph
from edge_sr.models.base import SRModel
from edge_sr.models.bicubic import Bicubic
from edge_sr.models.latent_diffusion import LatentDiffusion
from edge_sr.pipeline import SRResult, Workspace, shares_batches, upscale, upscale_many
from tests.pipeline.pictures import NoisyBicubic, radiograph

PICTURES = [radiograph(*size) for size in ((64, 64), (64, 64), (50, 60), (65, 131), (8, 8), (100, 100))]
CALLS: list[dict[str, float]] = [{"fidelity": 1.0}, {"fidelity": 0.3, "seed": 4}, {"samples": 3, "seed": 2}]


class Sociable(NoisyBicubic):
    """Its pictures are a trace brighter where there are several in the batch."""

    def __call__(self, lr: np.ndarray, **options: object) -> np.ndarray:
        sr: np.ndarray = super().__call__(lr, **options)  # type: ignore[arg-type]
        sr += np.float32(0.01 * (len(lr) > 1))
        return sr


@pytest.fixture(scope="module")
def int8(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SRModel]:
    """The default model as an 8-bit graph for ONNX Runtime, its ranges found on eight phantoms."""
    onnx = pytest.importorskip("onnx", reason="the graph is made with onnx")
    from build_engines.quantize import insert_qdq
    from build_engines.tuning.float_projection import for_cpu
    from edge_sr.backends.onnxrt import OnnxRuntime
    from tests.build_engines.quantised_default import QuantisedDefault

    found = QuantisedDefault.calibrated("onnxruntime")
    path: Path = tmp_path_factory.mktemp("int8") / "upscale.onnx"
    onnx.save(for_cpu(insert_qdq(found.model, found.ranges, found.places)), str(path))
    networks = Networks({"upscale": path}, precision="int8")
    with LatentDiffusion(Bundle.open(default_bundle()), OnnxRuntime(threads=2), networks=networks) as model:
        yield model


def assert_alike(some: Sequence[SRResult], others: Sequence[SRResult]) -> None:
    for one, other in zip(some, others, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
        assert one.provenance == other.provenance
        assert (one.spread is None) == (other.spread is None)
        if one.spread is not None:
            np.testing.assert_array_equal(one.spread, other.spread)


@pytest.mark.parametrize("options", CALLS)
@pytest.mark.parametrize("model", [NoisyBicubic(), Sociable(), Bicubic()])
def test_together_as_one_by_one(model: Bicubic, options: dict[str, float]) -> None:
    if isinstance(model, NoisyBicubic) or "samples" not in options:
        together = upscale_many(PICTURES, model, workspace=Workspace(), **options)  # type: ignore[arg-type]
        assert_alike(together, [upscale(each, model, **options) for each in PICTURES])  # type: ignore[arg-type]


def test_small_pictures_share_batches() -> None:
    model = NoisyBicubic()
    assert shares_batches(model)
    model.batches.clear()
    upscale_many([radiograph(64, 64)] * 11, model)
    assert model.batches == [8, 3]


def test_an_engine_for_three_pictures_gets_three() -> None:
    model = NoisyBicubic()
    model.largest_batch = 3
    upscale_many([radiograph(64, 64)] * 7, model)
    assert model.batches[-3:] == [3, 3, 1] and max(model.batches) == 3


def test_no_batch_is_shared_where_company_changes_a_picture() -> None:
    model = Sociable()
    assert not shares_batches(model)
    model.batches.clear()
    upscale_many([radiograph(64, 64)] * 3, model)
    assert model.batches == [1, 1, 1]


def test_it_is_tried_once() -> None:
    model = NoisyBicubic()
    upscale_many(PICTURES, model)
    calls = len(model.batches)
    upscale_many(PICTURES, model)
    assert len(model.batches) < 2 * calls


def test_none_is_none() -> None:
    assert upscale_many([], NoisyBicubic()) == []


def test_a_colour_picture_is_refused_before_any_is_computed() -> None:
    model, colour = NoisyBicubic(), Radiograph(np.zeros((64, 64, 3), np.uint8), 8, "0" * 64)
    with pytest.raises(UsageError, match="grey"):
        upscale_many([radiograph(64, 64), colour], model)
    assert not model.batches


@pytest.mark.parametrize(("sampler", "steps"), [(None, None), ("ddpm", 3)])  # ddpm draws noise at each step
def test_networks_together_as_one_by_one(tiny: Bundle, sampler: str | None, steps: int | None) -> None:
    from edge_sr.backends.onnxrt import OnnxRuntime

    with LatentDiffusion(tiny, OnnxRuntime(threads=1), sampler=sampler, steps=steps) as model:
        for options in CALLS:
            together = upscale_many(PICTURES, model, **options)  # type: ignore[arg-type]
            assert_alike(together, [upscale(each, model, **options) for each in PICTURES])  # type: ignore[arg-type]


@pytest.mark.parametrize("options", CALLS[:2])
def test_the_default_model_in_int8_together_as_one_by_one(int8: SRModel, options: dict[str, float]) -> None:
    assert shares_batches(int8)
    together = upscale_many(PICTURES[:4], int8, **options)  # type: ignore[arg-type]
    assert_alike(together, [upscale(each, int8, **options) for each in PICTURES[:4]])  # type: ignore[arg-type]
