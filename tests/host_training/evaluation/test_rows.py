from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_sr.artifacts.bundle import Bundle
from edge_sr.backends.base import FakeSession
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.errors import UsageError
from edge_sr.image.consistency import area_mean
from edge_sr.models.latent_diffusion import LatentDiffusion
from edge_sr.tensors import Tensors, TensorSpec
from host_training.evaluation.pictures import Batch
from host_training.evaluation.rows import (
    TITLES,
    Row,
    all_rows,
    check_protocol,
    model_row,
    open_baselines,
    sharpened_row,
)
from host_training.evaluation.sharpening import ring_of

RNG = np.random.default_rng(0)
Rows = dict[str, Row]
LR = TensorSpec("lr", ("N", 1, 64, 64), "float32")
LATENTS = TensorSpec("latents", ("N", 4, 32, 32), "float32")
CHECKS = (np.indices((256, 256)).sum(0) % 2 * 0.2 - 0.1).astype(np.float32)  # what no projection takes away


def batch(count: int = 2) -> Batch:
    hr = RNG.uniform(0.3, 0.7, (count, 1, 256, 256)).astype(np.float32)
    lr = area_mean(hr)
    return Batch(lr, hr, np.roll(lr, 1, axis=0))


def decode(feeds: Tensors) -> Tensors:
    """LR, pixels repeated, and a checkerboard as strong as the latents' mean."""
    smooth = feeds["lr"].repeat(4, axis=2).repeat(4, axis=3)
    return {"sr": smooth + feeds["latents"].mean((1, 2, 3), keepdims=True) * CHECKS}


class ToyBackend:
    """A chain whose latents are the mean of LR everywhere."""

    name, version = "toy", "0"

    def open(self, artifact: Path) -> FakeSession:
        cond, timestep = replace(LATENTS, name="cond"), TensorSpec("timestep", (1,), "int64")

        def encode(feeds: Tensors) -> Tensors:
            mean = feeds["lr"].mean((1, 2, 3), keepdims=True)
            return {"cond": np.broadcast_to(mean, (len(mean), 4, 32, 32)).astype(np.float32)}

        return {
            "encoder": FakeSession([LR], [cond], encode),
            "denoiser": FakeSession([LATENTS, cond, timestep], [], lambda feeds: {"prediction": feeds["cond"]}),
            "decoder": FakeSession([LATENTS, LR], [], decode),
        }[artifact.stem]


@pytest.fixture
def toy(tiny: Bundle) -> Iterator[LatentDiffusion]:
    """Two steps, which no composed graph is there for."""
    with LatentDiffusion(tiny, ToyBackend(), steps=2) as model:
        yield model


@pytest.fixture
def rows(toy: LatentDiffusion) -> Rows:
    return {row.key: row for row in all_rows(toy, {}, None)}


def test_zeroed_latents_leave_lr_alone(rows: Rows) -> None:
    pictures = batch()
    sr = rows["model_zeroed"].produce(pictures)
    np.testing.assert_allclose(sr, pictures.lr.repeat(4, axis=2).repeat(4, axis=3), atol=1e-6)


def test_another_pictures_latents_are_those_of_the_one_before(rows: Rows) -> None:
    pictures = batch()
    sr = rows["model_other"].produce(pictures)
    detail = sr - pictures.lr.repeat(4, axis=2).repeat(4, axis=3)
    strengths = (detail * CHECKS).sum((1, 2, 3)) / (CHECKS**2).sum()
    np.testing.assert_allclose(strengths, pictures.lr[::-1].mean((1, 2, 3)), rtol=1e-4)


@pytest.mark.parametrize("key", ["bicubic_projected", "model_1", "model_0", "model_zeroed", "model_other"])
def test_projected_rows_agree_with_lr(rows: Rows, key: str) -> None:
    pictures = batch()
    np.testing.assert_allclose(area_mean(rows[key].produce(pictures)), pictures.lr, atol=2e-6)


def test_rows_without_their_network_say_so(rows: Rows) -> None:
    assert list(rows) == list(TITLES)
    missing = {key: row.missing for key, row in rows.items() if row.produce is None}
    assert set(missing) == {"regression", "regression_sharpened", "autoencoder"}
    assert "regression.onnx" in missing["regression_sharpened"]


def test_each_seed_has_its_own_noise_and_each_picture_the_same(tiny: Bundle) -> None:
    seen: list[np.ndarray] = []

    class Spy(LatentDiffusion):
        def __call__(self, lr, *, noise, fidelity, noise_of_step=None):  # type: ignore[no-untyped-def]
            seen.append(noise)
            return lr

    with Spy(tiny, OnnxRuntime(threads=1)) as model:
        for seed in (0, 1):
            model_row(model, fidelity=0, seed=seed)(batch())
    np.testing.assert_array_equal(seen[0][0], seen[0][1])
    assert np.abs(seen[0] - seen[1]).mean() > 0.5


def test_a_bundle_of_another_degradation_is_refused(tiny: Bundle) -> None:
    cubic = replace(tiny.manifest, input=replace(tiny.manifest.input, degradation="cubic"))
    with pytest.raises(UsageError, match="cannot be evaluated.*degradation area"):
        check_protocol(replace(tiny, manifest=cubic))


def test_absent_baselines_are_left_out(tmp_path: Path) -> None:
    with ExitStack() as closing:
        assert open_baselines(tmp_path, OnnxRuntime(threads=1), closing) == {}


def test_the_sharpened_row_has_more_detail_and_still_agrees_with_lr() -> None:
    pictures = batch()
    gains = np.ones(ring_of(256).max() + 1)
    gains[64:] = 1.5
    sharpened = sharpened_row(lambda b: b.hr, gains)(pictures)
    assert sharpened.std() > 1.1 * pictures.hr.std()
    np.testing.assert_allclose(area_mean(sharpened), pictures.lr, atol=1e-5)
