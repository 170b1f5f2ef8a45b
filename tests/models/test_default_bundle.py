"""The bundle that ships in the package, run as a user runs it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from edge_sr.artifacts.bundle import Bundle, default_bundle
from edge_sr.diffusion.noise import noise_field
from edge_sr.image.consistency import area_mean
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.radiograph import Radiograph, from_unit, to_unit
from edge_sr.models.latent_diffusion import LatentDiffusion
from edge_sr.pipeline import upscale

pytest.importorskip("onnxruntime", reason="the default bundle runs on ONNX Runtime")

LARGEST_MB = 16


@pytest.fixture(scope="module")
def model() -> Iterator[LatentDiffusion]:
    from edge_sr.backends.onnxrt import OnnxRuntime

    with LatentDiffusion(Bundle.open(default_bundle()), OnnxRuntime(threads=1)) as opened:
        yield opened


def phantom(height: int, width: int, *, seed: int = 0) -> Radiograph:
    """A synthetic chest of this size, reduced by area averaging."""
    whole = to_unit(chest_phantom(4 * max(height, width), seed=seed))[:, :, : 4 * height, : 4 * width]
    return Radiograph(np.ascontiguousarray(from_unit(area_mean(whole), 8)), 8, "0" * 64, "", None)


def test_it_is_small() -> None:
    files = [path for path in default_bundle().rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= LARGEST_MB * 1e6


@pytest.mark.parametrize("fidelity", [0.0, 0.5, 1.0])
def test_the_composed_graph_is_the_staged_chain(model: LatentDiffusion, fidelity: float) -> None:
    lr = to_unit(phantom(64, 64).pixels)
    noise = noise_field(3, model.noise_shape(64, 64))
    staged = model.decode(model.latents(lr, noise=noise, fidelity=fidelity), lr)
    assert np.abs(model(lr, noise=noise, fidelity=fidelity) - staged).max() <= 1e-4


def test_its_graph_holds_no_timestep_and_no_foreign_operator() -> None:
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(Bundle.open(default_bundle()).path("upscale"))
    assert graph.ir_version <= 10 and [(entry.domain, entry.version) for entry in graph.opset_import] == [("", 20)]
    assert not {"Gemm", "Sin", "Cos"} & {node.op_type for node in graph.graph.node}
    assert [port.name for port in graph.graph.input] == ["lr", "noise"]


@pytest.mark.parametrize(("role", "least", "most"), [("upscale", 1.25, 1.35), ("decoder", 0.0, 1.5)])
def test_it_costs_what_the_documents_say(role: str, least: float, most: float) -> None:
    """Multiply-accumulates of one 64x64 picture, in 10^9; README and design.md say 1.3."""
    onnx = pytest.importorskip("onnx")
    from build_engines.sensitivity.macs import macs

    cost = sum(macs(onnx.load(Bundle.open(default_bundle()).path(role))).values())
    assert least <= cost / 1e9 <= most


@pytest.mark.parametrize("fidelity", [0.0, 1.0])
def test_the_output_agrees_with_the_input(model: LatentDiffusion, fidelity: float) -> None:
    result = upscale(phantom(64, 64), model, seed=1, fidelity=fidelity)
    assert result.provenance["lr_rmse"] <= 0.15


def test_seeds_differ_at_fidelity_0_alone(model: LatentDiffusion) -> None:
    radiograph = phantom(64, 64)
    samples = [upscale(radiograph, model, seed=seed, fidelity=0.0).pixels.astype(float) for seed in (0, 1)]
    assert np.abs(samples[0] - samples[1]).mean() > 0.1
    central = [upscale(radiograph, model, seed=seed, fidelity=1.0).pixels for seed in (0, 1)]
    np.testing.assert_array_equal(*central)


def test_tiles_leave_no_seam(model: LatentDiffusion) -> None:
    plain = phantom(200, 300)
    moved = Radiograph(np.pad(plain.pixels, ((22, 0), (22, 0)), mode="reflect"), 8, "0" * 64, "", None)
    first = upscale(plain, model).pixels.astype(float)
    second = upscale(moved, model).pixels.astype(float)[88:, 88:]  # other tiles over the same picture
    for axis in (0, 1):
        # Edges of the picture stand in both and cancel; a seam stands in one. The picture's own border does, too.
        jumps = np.abs(np.diff(first - second, axis=axis).mean(axis=1 - axis))[16:-16]
        assert jumps.max() < 0.5, f"{jumps.max():.2f} grey levels at {jumps.argmax()}"


@pytest.mark.parametrize(("sampler", "steps"), [("ddim", 4), ("dpmsolver++", 3), ("ddpm", 10)])
def test_other_samplers_and_steps_stay_near_the_default(sampler: str, steps: int) -> None:
    from edge_sr.backends.onnxrt import OnnxRuntime

    bundle, radiograph = Bundle.open(default_bundle()), phantom(64, 64)
    with (
        LatentDiffusion(bundle, OnnxRuntime(threads=1)) as default,
        LatentDiffusion(bundle, OnnxRuntime(threads=1), sampler=sampler, steps=steps) as other,
    ):
        pictures = [upscale(radiograph, m, fidelity=1.0).pixels.astype(float) for m in (default, other)]
    assert np.sqrt(np.mean((pictures[0] - pictures[1]) ** 2)) < 6
