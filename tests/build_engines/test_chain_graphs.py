"""The graphs of a chain, composed and network by network, what is observed in them, how activations are rounded."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

from edge_sr.artifacts.bundle import Bundle, default_bundle
from edge_sr.artifacts.chain import chain_of
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.models.feedforward import FeedForward
from edge_sr.models.latent_diffusion import LatentDiffusion

onnx = pytest.importorskip("onnx", reason="graphs are composed with onnx")
pytest.importorskip("onnxruntime", reason="the graphs run in ONNX Runtime")

from build_engines.chain_graphs import activation_grid, float_graphs, observed_tensors, running  # noqa: E402
from build_engines.quantize import FLAVOURS, Flavour, grid, placement  # noqa: E402


@pytest.mark.parametrize(
    ("sampler", "steps"), [("dpmsolver++", 1), ("ddim", 3), ("dpmsolver++", 4), ("ddpm", 3), ("ddim", 100)]
)
def test_they_compute_what_the_bundles_networks_do(tiny: Bundle, sampler: str, steps: int) -> None:
    rng = np.random.default_rng(0)
    lr, noise = rng.random((2, 1, 64, 64), np.float32), rng.standard_normal((2, 4, 32, 32), np.float32)
    chain = chain_of(tiny, sampler=sampler, steps=steps)
    graphs = float_graphs(chain)
    assert tuple(graphs) == chain.roles
    with running(chain, graphs, OnnxRuntime(1)) as model:
        got = model(lr, noise=noise, fidelity=0, noise_of_step=lambda step: noise * (1 + step))
    with LatentDiffusion(tiny, OnnxRuntime(1), sampler=sampler, steps=steps) as model:
        expected = model(lr, noise=noise, fidelity=0, noise_of_step=lambda step: noise * (1 + step))
    assert np.abs(got - expected).max() < 1e-5


def test_no_file_of_it_is_left_while_it_runs(tiny: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    chain = chain_of(tiny, sampler="ddpm", steps=2)
    with running(chain, float_graphs(chain), OnnxRuntime(1)) as model:
        assert list(tmp_path.glob("edge-sr-*")) == []
        assert model(np.zeros((1, 1, 64, 64), np.float32), noise=None, fidelity=1).shape == (1, 1, 256, 256)


def test_at_the_defaults_it_is_the_graph_that_ships() -> None:
    bundle = Bundle.open(default_bundle())
    shipped, composed = onnx.load(bundle.path("upscale")), float_graphs(chain_of(bundle))["upscale"]
    assert [node.SerializeToString() for node in composed.graph.node] == [
        node.SerializeToString() for node in shipped.graph.node
    ]


def test_no_name_stands_in_two_networks() -> None:
    graphs = float_graphs(chain_of(Bundle.open(default_bundle()), sampler="ddpm", steps=2))
    written = [{name for node in model.graph.node for name in node.output} for model in graphs.values()]
    assert [len(names) > 10 for names in written] == [True] * 3
    assert not written[0] & written[1] and not written[1] & written[2] and not written[0] & written[2]


@pytest.mark.parametrize(("sampler", "steps"), [("ddim", 1), ("ddim", 2), ("ddpm", 2)])
def test_every_placement_finds_its_tensors_among_the_observed(sampler: str, steps: int) -> None:
    for model in float_graphs(chain_of(Bundle.open(default_bundle()), sampler=sampler, steps=steps)).values():
        observed = observed_tensors(model)
        assert len(set(observed)) == len(observed)
        for flavour in FLAVOURS:
            for ends in (False, True):
                places = placement(model, flavour, ends=ends)
                assert set(places.tensors) <= set(observed)
                weight = places.convolutions[len(places.convolutions) // 2].weight
                assert set(placement(model, flavour, ends=ends, high=[weight]).tensors) <= set(observed)


def test_every_step_of_a_composed_graph_is_observed() -> None:
    graphs = float_graphs(chain_of(Bundle.open(default_bundle()), steps=2))
    assert {"denoiser0/relu_3", "denoiser1/relu_3"} <= set(observed_tensors(graphs["upscale"]))


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


def test_a_feed_forward_bundle_is_its_generator_and_the_projection(generator: Bundle) -> None:
    lr = np.random.default_rng(0).random((2, 1, 64, 64), np.float32)
    chain = chain_of(generator)
    graphs = float_graphs(chain)
    with running(chain, graphs, OnnxRuntime(1)) as model:
        got = model(lr, noise=None, fidelity=1)
    with FeedForward(generator, OnnxRuntime(1)) as model:
        expected = model(lr, noise=None, fidelity=1)
    assert tuple(graphs) == ("upscale",) and np.abs(got - expected).max() < 1e-5


def test_its_middle_convolution_is_quantised(generator: Bundle) -> None:
    model = float_graphs(chain_of(generator))["upscale"]
    for flavour in FLAVOURS:
        assert [each.weight for each in placement(model, flavour).convolutions] == ["generator/w1"]
        assert len(placement(model, flavour, ends=True).convolutions) == 3
