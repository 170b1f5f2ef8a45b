from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_sr.artifacts.bundle import Bundle
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.image.bicubic import upsample_bicubic
from edge_sr.image.consistency import lr_rmse
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.radiograph import Radiograph, from_unit, to_unit
from edge_sr.models.bicubic import Bicubic
from edge_sr.models.feedforward import FeedForward
from edge_sr.models.latent_diffusion import LatentDiffusion
from edge_sr.pipeline import upscale
from host_training.evaluation.candidates import Candidate
from host_training.evaluation.pictures import PictureSet, Sample, area_pair
from host_training.evaluation.rows import (
    OF_DIFFUSION,
    OF_EVERY_SET,
    Row,
    regressed,
    rows_of_bundle,
    rows_of_set,
    tiled,
    upscaled,
)
from host_training.evaluation.spectrum import ring_of
from tests.host_training.evaluation.toy_data import HR_ENCODER, REGRESSION, write_onnx

BACKEND = OnnxRuntime(threads=1)
PHANTOMS = [chest_phantom(408, seed=seed) // 2 + 60 for seed in (0, 1)]  # nothing clips
SET = PictureSet("toy", "area", ("a", "b"), ("A", "B"), 408, "", "", lambda i, side: area_pair(PHANTOMS[i], side))


@pytest.fixture(scope="module")
def regression(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_onnx(tmp_path_factory.mktemp("baselines") / "regression.onnx", REGRESSION)


@pytest.fixture(scope="module")
def candidate(tiny: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Candidate:
    encoder = write_onnx(tmp_path_factory.mktemp("baselines") / "hr_encoder.onnx", HR_ENCODER)
    return Candidate("tiny", tiny, hr_encoder=encoder)


@pytest.fixture(scope="module")
def rows(candidate: Candidate, regression: Path) -> dict[str, Row]:
    every = [*rows_of_set(SET, regression, np.ones(400)), *rows_of_bundle(candidate, SET)]
    return {row.key: row for row in every}


def made(row: Row, sample: Sample) -> np.ndarray:
    assert row.opening is not None
    with row.opening(BACKEND) as produce:
        return produce(sample)


def test_every_row_has_its_key_in_the_order_of_the_table(rows: dict[str, Row]) -> None:
    assert list(rows) == [*OF_EVERY_SET, *(f"tiny/{key}" for key in OF_DIFFUSION)]


@pytest.mark.parametrize("side", [256, 384])
def test_every_row_gives_a_picture_of_hrs_size_and_keeps_lr(rows: dict[str, Row], side: int) -> None:
    sample = SET.sample(1, side)
    for key, row in rows.items():
        sr = made(row, sample)
        assert (sr.shape, sr.dtype) == ((side, side), np.uint8), key
        free = key in ("bicubic", "tiny/unprojected")
        assert free or lr_rmse(sr, sample.lr) < 0.15, key


@pytest.mark.parametrize("side", [256, 384])
def test_the_model_runs_as_the_product_runs_it(rows: dict[str, Row], candidate: Candidate, side: int) -> None:
    sample = SET.sample(0, side)
    with LatentDiffusion(candidate.bundle, BACKEND) as model:
        for key, fidelity in {"model_1": 1.0, "model_0.5": 0.5, "model_0": 0.0}.items():
            expected = upscale(Radiograph(sample.lr, 8, ""), model, seed=0, fidelity=fidelity).pixels
            np.testing.assert_array_equal(made(rows[f"tiny/{key}"], sample), expected)


def test_tiles_are_cut_and_laid_together_as_the_pipeline_does_it(candidate: Candidate) -> None:
    sample = SET.sample(0, 408)  # 102 wide: tiles that the pipeline pads
    with LatentDiffusion(candidate.bundle, BACKEND) as model:
        sr = tiled(lambda tiles: model(tiles.lr, noise=None, fidelity=1.0), sample)
        np.testing.assert_array_equal(from_unit(sr, 8), upscaled(model, sample.lr, fidelity=1.0, seed=0))


def test_bicubic_is_the_products(rows: dict[str, Row]) -> None:
    sample = SET.sample(0, 256)
    expected = upscale(Radiograph(sample.lr, 8, ""), Bicubic()).pixels
    np.testing.assert_array_equal(made(rows["bicubic"], sample), expected)


def test_latents_come_from_where_the_row_says(rows: dict[str, Row], candidate: Candidate) -> None:
    """The tiny decoder lays the latents over LR, so a row can be told by what it would be without its source."""
    sample = SET.sample(0, 256)
    others = replace(sample, other_lr=sample.lr)
    blind = replace(sample, hr=np.zeros_like(sample.hr))
    assert (made(rows["tiny/shuffled"], sample) != made(rows["tiny/shuffled"], others)).any()
    own = made(rows["tiny/shuffled"], others).astype(int)
    assert np.abs(own - made(rows["tiny/model_1"], sample)).max() <= 1  # networks apart, or composed: a rounding
    assert (made(rows["tiny/autoencoder"], sample) != made(rows["tiny/autoencoder"], blind)).any()
    np.testing.assert_array_equal(made(rows["tiny/autoencoder"], blind), made(rows["tiny/zeroed"], sample))


def test_seeds_differ_at_fidelity_0_alone(candidate: Candidate) -> None:
    lr = SET.sample(0, 256).lr
    with LatentDiffusion(candidate.bundle, BACKEND) as model:
        zero, one = (upscaled(model, lr, fidelity=0.0, seed=seed) for seed in (0, 1))
        assert (zero != one).any()
        first, second = (upscaled(model, lr, fidelity=1.0, seed=seed) for seed in (0, 1))
        np.testing.assert_array_equal(first, second)


def test_rows_without_their_network_say_so(tiny: Bundle) -> None:
    every = [*rows_of_set(SET, None, None), *rows_of_bundle(Candidate("tiny", tiny), SET)]
    missing = {row.key: row.missing for row in every if row.opening is None}
    assert set(missing) == {"regression", "regression_sharpened", "tiny/autoencoder"}
    assert "regression.onnx" in missing["regression_sharpened"]
    assert "hr_encoder.onnx" in missing["tiny/autoencoder"]


def test_without_pictures_to_fit_on_nothing_is_sharpened(regression: Path) -> None:
    (sharpened,) = (row for row in rows_of_set(SET, regression, None) if row.key == "regression_sharpened")
    assert (sharpened.opening, "fit" in sharpened.missing) == (None, True)


def test_where_lr_is_no_mean_nothing_is_measured_that_takes_it_for_one(candidate: Candidate, regression: Path) -> None:
    cubic = replace(SET, degradation="cubic")
    every = [*rows_of_set(cubic, regression, np.ones(400)), *rows_of_bundle(candidate, cubic)]
    assert [row.key for row in every if row.opening] == ["bicubic"]
    assert "trained for degradation area" in every[-1].missing


def test_a_bundle_of_another_degradation_is_not_projected(candidate: Candidate) -> None:
    manifest = candidate.bundle.manifest
    cubic = replace(manifest, input=replace(manifest.input, degradation="cubic"))
    unprojected = replace(candidate, bundle=replace(candidate.bundle, manifest=cubic))
    every = {row.key: row for row in rows_of_bundle(unprojected, replace(SET, degradation="cubic"))}
    sample = SET.sample(0, 256)
    assert lr_rmse(made(every["tiny/zeroed"], sample), sample.lr) > 0.15


def test_sharpened_rings_are_stronger_and_the_picture_still_keeps_lr(regression: Path) -> None:
    gains = np.ones(ring_of(256).max() + 1)
    gains[20:] = 3.0
    sample = SET.sample(0, 256)
    plain, sharpened = (made(row, sample) for row in rows_of_set(SET, regression, gains)[2:])
    detail = [np.diff(sr.astype(float)).std() for sr in (plain, sharpened)]
    assert detail[1] > 1.1 * detail[0]
    assert lr_rmse(sharpened, sample.lr) < 0.15


def test_what_the_sharpening_is_fitted_on_is_not_rounded(regression: Path, rows: dict[str, Row]) -> None:
    """Rounding would lend the regression energy that it has not, and weaken the row."""
    sample = SET.sample(0, 256)
    with BACKEND.open(regression) as session:
        sr = regressed(session, sample)
    assert np.abs(sr * 255 - np.rint(sr * 255)).max() > 0.4
    np.testing.assert_array_equal(from_unit(sr, 8), made(rows["regression"], sample))


def test_what_draws_no_noise_has_two_rows(generator: Bundle) -> None:
    sample = SET.sample(0, 256)
    rows = {row.key: row for row in rows_of_bundle(Candidate("net", generator), SET)}
    assert {key: row.title for key, row in rows.items()} == {
        "net/model_1": "net",
        "net/unprojected": "net, not projected",
    }
    with FeedForward(generator, BACKEND) as model:
        expected = upscaled(model, sample.lr, fidelity=1.0, seed=0)
        raw = model.run("generator", {"lr": to_unit(sample.lr)}, "sr")
    np.testing.assert_array_equal(made(rows["net/model_1"], sample), expected)
    np.testing.assert_array_equal(made(rows["net/unprojected"], sample), from_unit(raw.clip(0, 1), 8))


def test_nobody_waits_for_a_diagnostic_row(rows: dict[str, Row]) -> None:
    untimed = [row.key.removeprefix("tiny/") for row in rows.values() if not row.timed]
    assert untimed == ["unprojected", "zeroed", "shuffled", "autoencoder"]


def test_the_picture_of_bicubic_needs_no_rounding_of_its_own() -> None:
    sample = SET.sample(0, 256)
    (row,) = (row for row in rows_of_set(SET, None, None) if row.key == "bicubic")
    np.testing.assert_array_equal(made(row, sample), from_unit(upsample_bicubic(to_unit(sample.lr)), 8))
