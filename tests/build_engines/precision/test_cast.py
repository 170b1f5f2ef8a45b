"""What becomes FP16, what stays float32, and what that does to the numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="graphs are written with onnx")
pytest.importorskip("onnxruntime", reason="the graphs run in ONNX Runtime")
pytest.importorskip("onnx_graphsurgeon", reason="the cast is done with it")

from onnx import TensorProto, numpy_helper  # noqa: E402

from build_engines.compose import compose, standalone  # noqa: E402
from build_engines.lint import as_text, lint  # noqa: E402
from build_engines.lint.tensorrt_versions import VERSIONS  # noqa: E402
from build_engines.precision.cast import to_fp16  # noqa: E402
from build_engines.quantize import insert_qdq, placement  # noqa: E402
from build_engines.simplify import simplify  # noqa: E402
from edge_sr.artifacts.bundle import Bundle, default_bundle  # noqa: E402
from edge_sr.diffusion.samplers import sampler_table  # noqa: E402
from edge_sr.diffusion.schedule import make_alphas_cumprod  # noqa: E402
from edge_sr.errors import UsageError  # noqa: E402
from edge_sr.image.consistency import area_mean  # noqa: E402
from edge_sr.image.phantom import chest_phantom  # noqa: E402
from edge_sr.image.quality import psnr  # noqa: E402
from tests.build_engines.node_by_node import node_by_node, run, types  # noqa: E402
from tests.build_engines.quantisable import composed, feeds  # noqa: E402

Model = "onnx.ModelProto"
HEADER = '<ir_version: 10, opset_import: ["" : 20]>'
SINGLE, HALF = TensorProto.FLOAT, TensorProto.FLOAT16
CONV = "Conv<pads=[1,1,1,1]>"


def graph(text: str, **constants: np.ndarray | np.generic | float) -> Model:
    """A model from ONNX's text form; weights of convolutions that are not given are small random ones."""
    model = onnx.parser.parse_model(f"{HEADER} g {text}")
    rng = np.random.default_rng(0)
    written = {name for node in model.graph.node for name in node.output}
    ports = {port.name for port in model.graph.input}
    for name in dict.fromkeys(name for node in model.graph.node for name in node.input):
        if name and name not in written | ports:
            value = constants.get(name, rng.normal(0, 0.3, (4, 4, 3, 3)))
            array = np.asarray(value)
            array = array.astype(np.float32) if array.dtype == np.float64 else array
            model.graph.initializer.append(numpy_helper.from_array(array, name))
    for node in model.graph.node:
        node.name = node.output[0]
    onnx.checker.check_model(model, full_check=True)
    return model


def casts(model: Model) -> list[tuple[str, str]]:
    return [(node.input[0], node.output[0]) for node in model.graph.node if node.op_type == "Cast"]


# What the graph is afterwards.


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_ports_opset_and_the_names_of_all_tensors_stay(steps: int) -> None:
    before = composed(steps)
    after = to_fp16(before)
    assert [*after.graph.input, *after.graph.output] == [*before.graph.input, *before.graph.output]
    assert (after.opset_import, after.ir_version) == (before.opset_import, 10)
    assert set(types(before)) <= set(types(after))
    assert {node.name for node in before.graph.node} <= {node.name for node in after.graph.node}


def test_the_model_that_came_is_left_alone() -> None:
    model = composed(1)
    before = model.SerializeToString()
    to_fp16(model)
    assert model.SerializeToString() == before


def test_every_weight_but_the_skip_is_fp16_and_there_once() -> None:
    weights = {
        steps: {t.name: t.data_type for t in to_fp16(composed(steps)).graph.initializer if len(t.dims) == 4}
        for steps in (1, 4)
    }
    assert weights[1] == weights[4] == dict.fromkeys(weights[1], HALF) | {"decoder/skip": SINGLE}
    assert len(weights[1]) == 14


def test_casts_stand_at_the_borders_alone() -> None:
    assert casts(to_fp16(composed(2)))[:6] == [
        ("encoder/small", "encoder/small/float16"),
        ("noise", "noise/float16"),
        ("denoiser0/prediction", "denoiser0/prediction/float32"),
        (between(), f"{between()}/float16"),
        ("decoder/small", "decoder/small/float16"),
        ("decoder/k", "decoder/k/float32"),
    ]
    own = casts(composed(2))  # of the projection, from bool
    assert casts(to_fp16(composed(2)))[6:] == own and own


def between() -> str:
    """The latents that the sampler gives to the second step."""
    return next(node.input[0] for node in composed(2).graph.node if node.output[0] == "denoiser1/joined")


def test_nothing_is_cast_twice_or_back() -> None:
    model = to_fp16(composed(4))
    assert len(casts(model)) == len({source for source, _ in casts(model)})
    assert not {source for source, _ in casts(model)} & {target for _, target in casts(model)}


@pytest.mark.parametrize("version", list(VERSIONS))
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_the_default_bundle_is_clean(version: str, steps: int) -> None:
    model = upscale(steps)
    cast = to_fp16(model)
    assert lint(cast, version=version) == []
    places = placement(model, "tensorrt")
    quantised = insert_qdq(cast, dict.fromkeys(places.tensors, (-4.0, 4.0)), places)
    findings = lint(quantised, version=version)
    assert {finding.severity for finding in findings} <= {"note"}, as_text(findings)


def upscale(steps: int) -> Model:
    bundle = Bundle.open(default_bundle())
    cumprod = make_alphas_cumprod("linear", 300, rescale_betas_zero_snr=True)
    table = sampler_table("ddim", cumprod, num_inference_steps=steps, prediction_type="sample")
    return compose(*(onnx.load(bundle.path(role)) for role in ("encoder", "denoiser", "decoder")), table=table)


# What stays float32.


def test_the_skip_and_all_that_makes_the_picture_stay_float32() -> None:
    model = to_fp16(upscale(1))
    by_output = {node.output[0]: node for node in model.graph.node}
    skip = next(node for node in model.graph.node if node.op_type == "Conv" and "skip" in node.input[1])
    start = next(index for index, node in enumerate(model.graph.node) if skip.output[0] in node.input)
    kinds = types(model)
    behind = [kinds[name] for node in model.graph.node[start:] for name in node.output]
    assert len(behind) > 20 and HALF not in behind
    assert kinds[skip.input[1]] == kinds[skip.output[0]] == SINGLE
    assert by_output[skip.input[0]].op_type == "Pad" and kinds[skip.input[0]] == SINGLE


def test_the_arithmetic_of_the_sampler_stays_float32() -> None:
    model = to_fp16(composed(4))
    kinds = types(model)
    arithmetic = [n for n in model.graph.node if "/" not in n.name and "Cast" not in n.op_type]
    assert len(arithmetic) > 20
    assert not any(kinds[name] == HALF for node in arithmetic for name in [*node.input, *node.output])


TIMED = f"""(float[N,4,8,8] latents, int64[1] timestep) => (float[N,4,8,8] prediction) {{
    time = Cast<to=1>(timestep) angles = Mul(time, frequencies) s = Sin(angles) c = Cos(angles)
    waves = Concat<axis=1>(s, c) shift = Gemm(waves, mix, zero) maps = Reshape(shift, shape)
    a = {CONV}(latents, w) b = Add(a, maps) d = Relu(b) prediction = {CONV}(d, w) }}"""
TIME_PATH = {"time", "angles", "s", "c", "waves", "shift", "maps"}


def timed() -> Model:
    rng = np.random.default_rng(3)
    frequencies = np.exp(-np.linspace(0, 9, 8))[None]
    mix, zero = rng.normal(size=(16, 4)), np.zeros(4)
    return graph(TIMED, frequencies=frequencies, mix=mix, zero=zero, shape=np.array([1, 4, 1, 1]))


def test_what_depends_on_the_timestep_alone_stays_float32() -> None:
    kinds = types(to_fp16(timed()))
    assert {name for name in kinds if kinds[name] == SINGLE} - {"latents", "prediction"} == {
        *TIME_PATH, "frequencies", "mix", "zero"
    }  # fmt: skip
    assert ("maps", "maps/float16") in casts(to_fp16(timed()))


@pytest.mark.parametrize("timestep", [10, 299])
def test_late_timesteps_are_as_exact_as_early_ones(timestep: int) -> None:
    given = {"latents": np.zeros((1, 4, 8, 8), np.float32), "timestep": np.array([timestep])}
    expected = run(timed(), given)
    assert np.abs(node_by_node(to_fp16(timed()), given)["prediction"] - expected).max() < 2e-3 * np.abs(expected).max()


def test_an_epsilon_that_fp16_makes_0_keeps_its_node_float32() -> None:
    text = f"""(float[N,4,8,8] x) => (float[N,4,8,8] y) {{
        a = {CONV}(x, w) b = Abs(a) c = Add(b, tiny) d = Div(a, c) e = Mul(d, small) y = {CONV}(e, w) }}"""
    model = graph(text, tiny=1e-12, small=1e-3)
    kinds = types(to_fp16(model))
    assert (kinds["c"], kinds["d"], kinds["e"], kinds["tiny"], kinds["small"]) == (SINGLE, HALF, HALF, SINGLE, HALF)


def test_sums_over_a_picture_stay_float32() -> None:
    text = f"(float[N,4,8,8] x) => (float[N,4,8,8] y) {{ a = {CONV}(x, w) b = ReduceMean(a, axes) c = Sub(a, b)"
    model = graph(text + f" y = {CONV}(c, w) }}", axes=np.array([2, 3]))
    assert types(to_fp16(model))["b"] == SINGLE
    assert np.isfinite(node_by_node(to_fp16(model), {"x": np.full((1, 4, 8, 8), 2e3, np.float32)})["y"]).all()


def test_features_stay_fp16_to_the_end() -> None:
    text = f"(float[N,4,8,8] lr) => (float[N,4,8,8] cond) {{ a = {CONV}(lr, w) b = {CONV}(a, w) c = Add(a, b) "
    model = to_fp16(graph(text + "cond = Relu(c) }"))
    assert casts(model) == [("lr", "lr/float16"), ("cond/float16", "cond")]


def test_what_is_asked_for_stays_float32() -> None:
    model = composed(1)
    kept = to_fp16(model, keep=["denoiser0/e"])
    assert types(kept)["denoiser/middle_weight"] == types(kept)["denoiser0/e"] == SINGLE
    assert len(casts(kept)) == len(casts(to_fp16(model))) + 2
    assert lint(kept, version="10.3") == []


# Forms that exporters write.


def test_a_constant_that_both_types_read_exists_in_both() -> None:
    text = (
        f"(float[N,4,8,8] x) => (float[N,4,8,8] y) {{ a = Mul(x, c) b = {CONV}(a, w) d = Mul(b, c) y = {CONV}(d, w) }}"
    )
    kinds = types(to_fp16(graph(text, c=0.5)))
    assert (kinds["c"], kinds["c/float16"]) == (SINGLE, HALF)


def test_an_output_that_nodes_read_too_is_cast_once() -> None:
    text = f"(float[N,4,8,8] x) => (float[N,4,8,8] y, float[N,4,8,8] m) {{ m = {CONV}(x, w) n = ReduceMean(m, axes)"
    model = to_fp16(graph(text + f" b = Sub(m, n) y = {CONV}(b, w) }}", axes=np.array([1])))
    assert casts(model)[:2] == [("x", "x/float16"), ("m/float16", "m")]
    reads = {node.output[0]: list(node.input) for node in model.graph.node}
    assert (reads["n"][0], reads["b"]) == ("m", ["m/float16", "n/float16"])


def test_scales_of_a_resize_and_what_makes_floats_of_shapes_stay_float32() -> None:
    text = f"""(float[N,4,8,8] x) => (float[N,4,8,8] y) {{ a = {CONV}(x, w) b = Resize(a, , scales) c = {CONV}(b, w)
        s = Shape(c) d = ConstantOfShape(s) e = Add(c, d) y = Conv<pads=[1,1,1,1], strides=[2,2]>(e, w) }}"""
    model = to_fp16(graph(text, scales=np.array([1, 1, 2, 2], np.float32)), keep=["s"])
    kinds = types(model)
    assert (kinds["b"], kinds["scales"], kinds["d"], kinds["e"]) == (HALF, SINGLE, SINGLE, HALF)
    assert ("c", "c/float32") not in casts(model)  # Shape reads either type


def test_casts_to_float_become_casts_to_fp16() -> None:
    text = f"""(float[N,4,8,8] x) => (float[N,4,8,8] y) {{ a = {CONV}(x, w) b = Greater(a, zero) c = Cast<to=1>(b)
        d = Mul(a, c) e = Cast<to=1>(d) y = {CONV}(e, w) }}"""
    model = to_fp16(graph(text, zero=0.0))
    assert types(model)["c"] == HALF
    assert casts(model) == [("x", "x/float16"), ("b", "c"), ("y/float16", "y")]  # the idle one is none any more
    assert types(model)["e"] == HALF


def test_weights_may_be_nodes() -> None:
    text = "(float[N,4,8,8] x) => (float[N,4,8,8] y) { half = Constant<value_float=0.5>() "
    model = to_fp16(graph(text + f"a = {CONV}(x, w) b = Mul(a, half) y = {CONV}(b, w) }}"))
    assert types(model)["half"] == HALF and "Constant" not in {node.op_type for node in model.graph.node}


# What it computes.


def phantom(seed: int) -> np.ndarray:
    hr = chest_phantom(seed=seed)[None, None].astype(np.float32) / 255
    return area_mean(hr, 4).astype(np.float32)


def drawn(seed: int, share: float) -> np.ndarray:
    return (share * np.random.default_rng(seed).normal(size=(1, 4, 32, 32))).astype(np.float32)


@pytest.mark.parametrize("fidelity", [0, 1])
def test_ten_phantoms_hold_the_gate(fidelity: int) -> None:
    model = upscale(1)
    given = {
        "lr": np.concatenate([phantom(seed) for seed in range(10)]),
        "noise": np.concatenate([drawn(seed, 1 - fidelity) for seed in range(10)]),
    }
    expected, got = run(model, given), run(to_fp16(model), given)
    assert min(psnr(a, b, data_range=1) for a, b in zip(expected, got, strict=True)) >= 60


@pytest.mark.parametrize("steps", [1, 2])
def test_rounded_everywhere_it_is_closer_than_a_picture_in_fp16(steps: int) -> None:
    """With the skip in FP16 it would be 77 dB, with what stands before the first convolutions in FP16 85."""
    model = upscale(steps)
    given = {"lr": phantom(0), "noise": drawn(0, 0)}
    assert psnr(node_by_node(to_fp16(model), given)["sr"], run(model, given), data_range=1) >= 88


def test_the_toy_networks_lose_what_fp16_loses() -> None:
    model = composed(2)
    error = np.abs(node_by_node(to_fp16(model), feeds())["sr"] - run(model, feeds())).max()
    assert 0 < error < 5e-3


# What is refused.


def test_a_weight_beyond_fp16_is_named() -> None:
    weight = np.zeros((4, 4, 3, 3))
    weight[1, 2, 0, 0] = -70000
    text = f"(float[N,4,8,8] x) => (float[N,4,8,8] y) {{ a = {CONV}(x, huge) y = {CONV}(a, w) }}"
    with pytest.raises(UsageError, match="huge: a value of 70000; expected at most 65504"):
        to_fp16(graph(text, huge=weight))


def test_an_infinity_is_no_overflow() -> None:
    text = f"(float[N,4,8,8] x) => (float[N,4,8,8] y) {{ a = {CONV}(x, w) b = Max(a, floor) y = {CONV}(b, w) }}"
    model = to_fp16(graph(text, floor=-np.inf))
    assert np.isfinite(run(model, {"x": np.ones((1, 4, 8, 8), np.float32)})).all()


def test_a_quantised_graph_is_refused() -> None:
    model = composed(1)
    places = placement(model, "tensorrt")
    with pytest.raises(UsageError, match="Q/DQ pairs; expected a float32 graph: cast first, then quantise"):
        to_fp16(insert_qdq(model, dict.fromkeys(places.tensors, (0.0, 1.0)), places))


def test_a_graph_that_is_fp16_is_refused() -> None:
    with pytest.raises(UsageError, match="is FP16 already"):
        to_fp16(to_fp16(composed(1)))


def test_control_flow_is_refused() -> None:
    same = "g () => (float[2] z) { z = Identity(x) }"
    text = f"(float[2] x, bool c) => (float[2] y) {{ y = If(c) <then_branch = {same}, else_branch = {same}> }}"
    model = onnx.parser.parse_model(f"{HEADER} g {text}")
    with pytest.raises(UsageError, match="control flow: If; expected a plain graph"):
        to_fp16(model)


def test_an_unknown_tensor_is_refused() -> None:
    with pytest.raises(UsageError, match="denoiser0/elf: no node writes this"):
        to_fp16(composed(1), keep=["denoiser0/elf"])


# Networks that are trained in PyTorch.


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    """The published denoiser and autoencoder, small; cross-attention; the feed-forward generator."""
    torch = pytest.importorskip("torch", reason="the networks are exported from it")
    pytest.importorskip("diffusers", reason="the autoencoder comes from it")
    from host_training.nets.feedforward import FeedForward
    from host_training.nets.kl_autoencoder import KLAutoencoder, KLDecoder, KLEncoderOfLR, new_autoencoder
    from host_training.nets.unet_deep import CrossAttentionUNet
    from host_training.nets.unet_lite import UNetLite
    from host_training.to_onnx import to_onnx

    torch.manual_seed(0)
    autoencoder = KLAutoencoder(new_autoencoder("tiny")).requires_grad_(False)
    lr, latents = torch.rand(2, 1, 64, 64), torch.randn(2, 4, 32, 32)
    timed = {"latents": latents, "cond": torch.randn(2, 4, 32, 32), "timestep": torch.tensor([299])}
    networks = {
        "encoder": (KLEncoderOfLR(autoencoder), {"lr": lr}, "cond"),
        "decoder": (KLDecoder(autoencoder), {"latents": latents, "lr": lr}, "sr"),
        "denoiser": (UNetLite(widths=(8, 8, 16)), timed, "prediction"),
        "attention": (CrossAttentionUNet(widths=(8, 8, 16)), timed, "prediction"),
        "generator": (FeedForward(width=8, depth=1), {"lr": lr}, "sr"),
    }
    folder: Path = tmp_path_factory.mktemp("exported")
    for name, (network, given, output) in networks.items():
        to_onnx(network, folder / f"{name}.onnx", given, output)
    return {name: onnx.load(folder / f"{name}.onnx") for name in networks}


def staged(exported: Mapping[str, Model], name: str) -> Model:
    role = {"attention": "denoiser"}.get(name, name)
    return simplify(exported[name]) if name == "generator" else standalone(exported[name], role)


def drawn_feeds(model: Model) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = {
        "lr": rng.uniform(0, 1, (1, 1, 64, 64)), "latents": rng.normal(size=(1, 4, 32, 32)),
        "cond": rng.normal(size=(1, 4, 32, 32)),
    }  # fmt: skip
    values = {name: value.astype(np.float32) for name, value in shapes.items()} | {"timestep": np.array([299])}
    return {port.name: values[port.name] for port in model.graph.input}


every_network = pytest.mark.parametrize("name", ["encoder", "decoder", "denoiser", "attention", "generator"])


@every_network
def test_exported_networks_are_clean_and_exact(exported: Mapping[str, Model], name: str) -> None:
    model = staged(exported, name)
    cast, given = to_fp16(model), drawn_feeds(model)
    assert {version: lint(cast, version=version) for version in VERSIONS} == {version: [] for version in VERSIONS}
    expected = run(model, given)
    assert (
        psnr(node_by_node(cast, given)[model.graph.output[0].name], expected, data_range=float(np.ptp(expected))) >= 60
    )


@every_network
def test_exported_networks_are_clean_in_int8(exported: Mapping[str, Model], name: str) -> None:
    model = staged(exported, name)
    places = placement(model, "tensorrt")
    assert places.convolutions
    quantised = insert_qdq(to_fp16(model), dict.fromkeys(places.tensors, (-8.0, 8.0)), places)
    findings = [finding for version in VERSIONS for finding in lint(quantised, version=version)]
    assert {finding.severity for finding in findings} <= {"note"}, as_text(findings)
    assert np.isfinite(run(quantised, drawn_feeds(model))).all()


def test_the_published_chain_is_clean_as_one_graph(exported: Mapping[str, Model]) -> None:
    cumprod = make_alphas_cumprod("linear", 300, rescale_betas_zero_snr=False)
    table = sampler_table("ddim", cumprod, num_inference_steps=25, prediction_type="epsilon")
    model = compose(*(exported[role] for role in ("encoder", "denoiser", "decoder")), table=table)
    cast = to_fp16(model)
    assert lint(cast, version="10.3") == []
    assert Counter(t.data_type for t in cast.graph.initializer if len(t.dims) == 4).most_common(1)[0][0] == HALF
