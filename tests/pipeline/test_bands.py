"""A picture made some rows at a time is the one made at once, and needs the memory of those rows."""

from __future__ import annotations

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest

from edge_sr.diffusion.noise import noise_field
from edge_sr.errors import EdgeSRError
from edge_sr.image.consistency import lr_rmse, project
from edge_sr.image.radiograph import Radiograph, from_unit, to_unit
from edge_sr.image.tiling import blend, cut, plan_tiles
from edge_sr.pipeline import OVERLAP, upscale
from tests.pipeline.pictures import NoisyBicubic, radiograph


def at_once(source: Radiograph, *, seed: int) -> np.ndarray:
    """The same with every array whole: tiles, noise, blend, projection, integers."""
    lr, model = to_unit(source.pixels), NoisyBicubic()
    plan = plan_tiles(*lr.shape[2:], tile=64, overlap=OVERLAP)
    shape = model.noise_shape(*plan.padded)
    first, later = (cut(noise_field(seed, shape, step=step), plan, ratio=Fraction(1, 2)) for step in (0, 1))
    tiles = model(cut(lr, plan), noise=first, fidelity=0.0, noise_of_step=lambda step: later)
    return from_unit(project(blend(tiles, plan), lr), source.bit_depth)


def consistent() -> NoisyBicubic:
    model = NoisyBicubic()
    model.degradation = "area"
    return model


@pytest.mark.parametrize("size", [(300, 200), (65, 400), (66, 66), (64, 130), (513, 97)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_band_by_band_as_at_once(size: tuple[int, int], dtype: type) -> None:
    source = radiograph(*size, dtype)
    result, whole = upscale(source, consistent(), seed=5, fidelity=0.0), at_once(source, seed=5)
    np.testing.assert_array_equal(result.pixels, whole)
    assert result.provenance["lr_rmse"] == round(lr_rmse(whole, source.pixels), 4)


@pytest.mark.parametrize("samples", [1, 2])
def test_the_numbers_of_the_whole_picture_are_never_in_memory(samples: int) -> None:
    source = radiograph(1200, 300)
    in_float = 4 * 16 * source.pixels.size  # bytes; the spread of several samples is one such array, and asked for
    tracemalloc.start()
    result = upscale(source, consistent(), fidelity=0.0, samples=samples)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - result.pixels.nbytes - (samples > 1) * in_float < 0.7 * in_float


def test_nan_in_any_band_is_an_error() -> None:
    class Failing(NoisyBicubic):
        def __call__(self, lr: np.ndarray, **options: object) -> np.ndarray:
            sr: np.ndarray = super().__call__(lr, **options)  # type: ignore[arg-type]
            sr[-1, 0, -1, -1] = np.nan
            return sr

    with pytest.raises(EdgeSRError, match="NaN"):
        upscale(radiograph(200, 64), Failing())
