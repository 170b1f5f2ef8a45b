from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_sr.diffusion.noise import noise_field
from edge_sr.errors import UsageError
from edge_sr.image.bicubic import upsample_bicubic
from edge_sr.image.consistency import area_mean
from edge_sr.image.radiograph import Radiograph, read_radiograph, to_unit
from edge_sr.models.bicubic import Bicubic
from edge_sr.pipeline import upscale
from tests.pipeline.pictures import NoisyBicubic, radiograph


@pytest.mark.parametrize("size", [(64, 64), (8, 8), (300, 200), (65, 131)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_size_grows_fourfold_and_depth_stays(size: tuple[int, int], dtype: type) -> None:
    result = upscale(radiograph(*size, dtype), NoisyBicubic())
    assert result.pixels.shape == (size[0] * 4, size[1] * 4)
    assert result.pixels.dtype == dtype


def test_tiles_leave_no_seam() -> None:
    source = radiograph(200, 300)
    whole = upsample_bicubic(to_unit(source.pixels))[0, 0] * 255
    difference = upscale(source, NoisyBicubic()).pixels - whole
    assert np.abs(difference[16:-16, 16:-16]).max() < 2  # a tile's edge differs where it cannot see its neighbour


def test_noise_is_one_field_cut_like_the_picture() -> None:
    source = Radiograph(np.full((100, 150), 128, np.uint8), 8, "0" * 64)
    field = noise_field(3, (4, 64, 96))[0, 0] + noise_field(3, (4, 64, 96), step=1)[0, 0]
    expected = 128 + 255 * 0.05 * np.repeat(np.repeat(field, 8, 0), 8, 1)[:400, :600]
    result = upscale(source, NoisyBicubic(), seed=3, fidelity=0.0)
    np.testing.assert_allclose(result.pixels, np.clip(expected, 0, 255), atol=0.51)


def test_batches_hold_eight_tiles_at_most() -> None:
    model = NoisyBicubic()
    upscale(radiograph(65, 300), model)
    assert model.batches == [8, 4]


@pytest.mark.parametrize("fidelity", [0.0, 1.0])
def test_the_seed_decides_below_full_fidelity(fidelity: float) -> None:
    source = radiograph(64, 64)
    first, again, other = (upscale(source, NoisyBicubic(), seed=s, fidelity=fidelity).pixels for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.array_equal(first, other) == (fidelity == 1)


def test_a_blended_picture_is_projected_again() -> None:
    model = NoisyBicubic()
    model.degradation = "area"
    source = radiograph(100, 100)
    result = upscale(source, model, seed=1, fidelity=0.0)
    assert result.provenance["lr_rmse"] <= 0.15
    np.testing.assert_allclose(area_mean(to_unit(result.pixels))[0, 0] * 255, source.pixels, atol=0.6)


def test_colour_keeps_its_chroma(tmp_path: Path) -> None:
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[:, :32], rgb[:, 32:] = (200, 40, 40), (40, 40, 200)
    Image.fromarray(rgb).save(tmp_path / "colour.png")
    result = upscale(read_radiograph(tmp_path / "colour.png", colour="luma"), Bicubic())
    assert result.pixels.shape == (256, 256, 3)
    assert np.abs(result.pixels[128, 60].astype(int) - (200, 40, 40)).max() <= 3
    assert np.abs(result.pixels[128, 200].astype(int) - (40, 40, 200)).max() <= 3


def test_samples_give_their_mean_and_deviation() -> None:
    source = radiograph(64, 64)
    single = [upscale(source, NoisyBicubic(), seed=seed, fidelity=0.0).pixels for seed in (5, 6, 7, 8)]
    result = upscale(source, NoisyBicubic(), seed=5, samples=4)
    assert result.spread is not None and result.spread.shape == (256, 256) and result.spread.dtype == np.float32
    np.testing.assert_allclose(result.pixels, np.mean(single, axis=0), atol=1.01)
    np.testing.assert_allclose(result.spread * 255, np.std(single, axis=0, ddof=1), atol=0.6)
    assert (result.provenance["samples"], result.provenance["fidelity"], result.provenance["seed"]) == (4, 0.0, 5)


def test_one_sample_has_no_spread() -> None:
    result = upscale(radiograph(64, 64), NoisyBicubic())
    assert result.spread is None and result.provenance["samples"] == 1


@pytest.mark.parametrize(("model", "fidelity"), [(Bicubic(), None), (NoisyBicubic(), 1.0)])
def test_samples_that_cannot_differ_are_refused(model: Bicubic, fidelity: float | None) -> None:
    with pytest.raises(UsageError, match="samples are all alike"):
        upscale(radiograph(64, 64), model, fidelity=fidelity, samples=2)
