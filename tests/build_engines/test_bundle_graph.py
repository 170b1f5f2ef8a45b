"""A bundle's graph at other steps than its own, what is observed in it, and how its activations are rounded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_sr.artifacts.bundle import Bundle, default_bundle
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.errors import UsageError
from edge_sr.models.latent_diffusion import LatentDiffusion

onnx = pytest.importorskip("onnx", reason="graphs are composed with onnx")
pytest.importorskip("onnxruntime", reason="the graphs run in ONNX Runtime")

from build_engines.bundle_graph import activation_grid, bundle_graph  # noqa: E402
from build_engines.quantize import FLAVOURS, Flavour, grid, placement  # noqa: E402


@pytest.mark.parametrize(("sampler", "steps"), [("dpmsolver++", 1), ("ddim", 3), ("dpmsolver++", 4)])
def test_it_computes_what_the_staged_chain_does(tiny: Bundle, tmp_path: Path, sampler: str, steps: int) -> None:
    rng = np.random.default_rng(0)
    lr, noise = rng.random((2, 1, 64, 64), np.float32), rng.standard_normal((2, 4, 32, 32), np.float32)
    graph = bundle_graph(tiny, sampler=sampler, steps=steps)
    onnx.save(graph.model, tmp_path / "graph.onnx")
    with OnnxRuntime(1).open(tmp_path / "graph.onnx") as session:
        got = session.run({"lr": lr, "noise": noise})["sr"]
    with LatentDiffusion(tiny, OnnxRuntime(1), sampler=sampler, steps=steps) as model:
        assert np.abs(got - model(lr, noise=noise, fidelity=0)).max() < 1e-5


def test_at_the_defaults_it_is_the_graph_that_ships() -> None:
    bundle = Bundle.open(default_bundle())
    shipped, composed = onnx.load(bundle.path("upscale")), bundle_graph(bundle).model
    assert [node.SerializeToString() for node in composed.graph.node] == [
        node.SerializeToString() for node in shipped.graph.node
    ]


def test_its_identity_is_that_of_its_parts(tiny: Bundle) -> None:
    first = bundle_graph(tiny).sha256
    assert bundle_graph(tiny, sampler="ddim", steps=1).sha256 == first
    others = [bundle_graph(tiny, steps=2), bundle_graph(tiny, sampler="dpmsolver++")]
    networks = dict(tiny.manifest.networks)
    networks["decoder"] = replace(networks["decoder"], sha256="f" * 64)
    others.append(bundle_graph(replace(tiny, manifest=replace(tiny.manifest, networks=networks))))
    plain = replace(tiny.manifest, input=replace(tiny.manifest.input, degradation="cubic"))
    others.append(bundle_graph(replace(tiny, manifest=plain)))  # not projected
    assert len({first, *(other.sha256 for other in others)}) == 5


def test_a_sampler_that_draws_noise_is_refused(tiny: Bundle) -> None:
    with pytest.raises(UsageError, match="cannot be one graph"):
        bundle_graph(tiny, sampler="ddpm", steps=2)


@pytest.mark.parametrize("steps", [1, 2])
def test_every_placement_finds_its_tensors_among_the_observed(steps: int) -> None:
    graph = bundle_graph(Bundle.open(default_bundle()), steps=steps)
    observed = graph.observed
    assert len(set(observed)) == len(observed)
    for flavour in FLAVOURS:
        for ends in (False, True):
            places = placement(graph.model, flavour, ends=ends)
            assert set(places.tensors) <= set(observed)
            weight = places.convolutions[len(places.convolutions) // 2].weight
            assert set(placement(graph.model, flavour, ends=ends, high=[weight]).tensors) <= set(observed)
    assert {f"denoiser{step}/relu_3" for step in range(steps)} <= set(observed)


@pytest.mark.parametrize("flavour", FLAVOURS.values(), ids=FLAVOURS)
@pytest.mark.parametrize("limits", [(-1.3, 4.7), (0.0, 2.0), (-3.0, 0.0), (0.0, 0.0), (1.0, 2.0)])
def test_activations_are_rounded_as_onnx_runtime_does(
    flavour: Flavour, limits: tuple[float, float], tmp_path: Path
) -> None:
    values = np.random.default_rng(0).uniform(-6, 6, 10_000).astype(np.float32)
    scale, zero_point = grid(*limits, flavour)
    kind = "int8" if flavour.lowest < 0 else "uint8"
    ports = f"(float[N] x) => (float[N] y) <float s = {{{scale:.9g}}}, {kind} z = {{{zero_point}}}>"
    nodes = "q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z)"
    model = f'<ir_version: 10, opset_import: ["" : 20]> pair {ports} {{ {nodes} }}'
    onnx.save(onnx.parser.parse_model(model), tmp_path / "g.onnx")
    with OnnxRuntime(1).open(tmp_path / "g.onnx") as session:
        expected = session.run({"x": values})["y"]
    assert np.array_equal(activation_grid(flavour).quantise(values, *limits), expected)
