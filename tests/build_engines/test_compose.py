"""The composed graph against the chain that it is composed of, run network by network, step by step."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.diffusion.samplers import SamplerTable, sample, sampler_table
from edge_sr.diffusion.schedule import make_alphas_cumprod
from edge_sr.errors import UsageError
from edge_sr.image.consistency import ROUNDS, area_mean, project
from tests import tiny_bundle

onnx = pytest.importorskip("onnx", reason="graphs are composed with onnx")
pytest.importorskip("onnxruntime", reason="the graphs run in ONNX Runtime")

from build_engines.compose import compose  # noqa: E402

Networks = Mapping[str, "onnx.ModelProto"]


def table(steps: int, sampler: str = "ddim", prediction_type: str = "sample") -> SamplerTable:
    cumprod = make_alphas_cumprod("linear", 300, rescale_betas_zero_snr=True)
    return sampler_table(sampler, cumprod, num_inference_steps=steps, prediction_type=prediction_type)


def parsed(role: str, graph: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(tiny_bundle.HEADER + f" {role} {graph}")


@pytest.fixture(scope="module")
def toys() -> Networks:
    """Networks of a few nodes, without torch."""
    roles = ("encoder", "denoiser", "decoder")
    return {role: onnx.parser.parse_model(tiny_bundle.HEADER + tiny_bundle.GRAPHS[role]) for role in roles}


@pytest.fixture(scope="module")
def colour_toys(toys: Networks) -> Networks:
    """The same for pictures of three channels; the decoder leaves [0, 1] often."""
    lr, sr = "float[N,3,64,64] lr", "float[N,3,256,256] sr"
    encode = tiny_bundle.ENCODE.replace("(lr)", "(grey)")
    decode = tiny_bundle.DECODE.replace("sr = Add(smooth, rest)", "grey = Add(smooth, rest) sr = Mul(grey, tints)")
    scales = f"{tiny_bundle.SCALES}, float[1,3,1,1] tints = {{0.5, 1.2, 2}}"
    encoder = f"({lr}) => (float[N,4,32,32] cond) <{tiny_bundle.SHADES}, int64[1] axis = {{1}}>"
    return {
        "encoder": parsed("encoder", f"{encoder} {{ grey = ReduceMean(lr, axis) {encode} }}"),
        "denoiser": toys["denoiser"],
        "decoder": parsed("decoder", f"(float[N,4,32,32] latents, {lr}) => ({sr}) <{scales}> {{ {decode} }}"),
    }


@pytest.fixture(scope="module")
def trained() -> Networks:
    """The edge model's denoiser at its size and the other networks thinner, exported as the bundle's are."""
    torch = pytest.importorskip("torch", reason="the networks are PyTorch's")
    pytest.importorskip("onnxscript", reason="torch.onnx is built on it")
    from host_training.nets.autoencoder import Decoder
    from host_training.nets.lr_encoder import LREncoder
    from host_training.nets.unet_lite import UNetLite

    torch.manual_seed(0)
    torch.set_num_threads(1)
    edge = UNetLite(68, 4, (64, 96, 128), time_after_relu=False)
    published, decoder = UNetLite(68, 4), Decoder(width=16, depth=1)
    with torch.no_grad():  # as they start, they say next to nothing, and any error would drown
        edge.out.weight *= 60
        published.out.weight *= 60
        decoder.tail.weight *= 8
    lr, latents, cond = torch.rand(2, 1, 64, 64), torch.randn(2, 4, 32, 32), torch.randn(2, 64, 32, 32)
    feeds = {"latents": latents, "cond": cond, "timestep": torch.tensor([299])}
    return {
        "encoder": exported(LREncoder(width=64, depth=1), {"lr": lr}, "cond"),
        "denoiser": exported(edge, feeds, "prediction"),
        "published": exported(published, feeds, "prediction"),
        "decoder": exported(decoder, {"latents": latents, "lr": lr}, "sr"),
    }


def exported(net: object, feeds: Mapping[str, object], output: str) -> onnx.ModelProto:
    import torch

    assert isinstance(net, torch.nn.Module)
    free = {0: torch.export.Dim("N")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about its own internals
        program = torch.onnx.export(
            net.eval(),
            tuple(feeds.values()),
            input_names=list(feeds),
            output_names=[output],
            opset_version=20,
            dynamic_shapes=tuple(None if name == "timestep" else free for name in feeds),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def composed(networks: Networks, steps: SamplerTable, *, denoiser: str = "denoiser", **options: int) -> onnx.ModelProto:
    return compose(networks["encoder"], networks[denoiser], networks["decoder"], table=steps, **options)


def drawn(count: int = 1, channels: int = 1, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """LR, a third of it exactly black or white, and the noise."""
    rng = np.random.default_rng(0)
    lr = rng.uniform(size=(count, channels, 64, 64)).astype(np.float32)
    lr[..., :10, :], lr[..., 10:20, :] = 0, 1
    return lr, noise * rng.normal(size=(count, 4, 32, 32)).astype(np.float32)


def run(model: onnx.ModelProto, folder: Path, **feeds: np.ndarray) -> np.ndarray:
    onnx.save(model, folder / "graph.onnx")
    with OnnxRuntime(threads=1, spinning=False).open(folder / "graph.onnx") as session:
        (value,) = session.run(feeds).values()
    return value


def staged(
    networks: Networks, steps: SamplerTable, folder: Path, lr: np.ndarray, noise: np.ndarray, denoiser: str = "denoiser"
) -> np.ndarray:
    """What the decoder gives at the end of the chain, before the projection."""
    cond = run(networks["encoder"], folder, lr=lr)

    def denoise(z: np.ndarray, t: int) -> np.ndarray:
        return run(networks[denoiser], folder, latents=z, cond=cond, timestep=np.array([t], np.int64))

    return run(networks["decoder"], folder, latents=sample(steps, denoise, noise), lr=lr)


def operators(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def constant_additions(model: onnx.ModelProto) -> int:
    """Additions of one constant a channel: time embeddings that did not fold into a convolution."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    added = [shapes.get(name, ()) for node in model.graph.node if node.op_type == "Add" for name in node.input]
    return sum(len(shape) == 4 and shape[2:] == (1, 1) and shape[1] > 1 for shape in added)


@pytest.mark.parametrize("prediction_type", ["sample", "v_prediction"])
@pytest.mark.parametrize("sampler", ["ddim", "dpmsolver++"])
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_it_is_the_staged_chain(
    trained: Networks, tmp_path: Path, steps: int, sampler: str, prediction_type: str
) -> None:
    lr, noise = drawn()
    plan = table(steps, sampler, prediction_type)
    expected = project(staged(trained, plan, tmp_path, lr, noise), lr)
    got = run(composed(trained, plan), tmp_path, lr=lr, noise=noise)
    assert np.abs(got - expected).max() <= 1e-4


def test_a_wrong_sampler_would_show(trained: Networks, tmp_path: Path) -> None:
    lr, noise = drawn()
    pictures = [
        run(composed(trained, table(*plan)), tmp_path, lr=lr, noise=noise)
        for plan in ((4, "ddim"), (4, "dpmsolver++"), (2, "ddim"), (4, "ddim", "v_prediction"))
    ]
    assert min(np.abs(pictures[0] - other).max() for other in pictures[1:]) > 1e-2


def test_the_published_block_keeps_its_additions(trained: Networks, tmp_path: Path) -> None:
    lr, noise = drawn()
    model = composed(trained, table(2), denoiser="published")
    expected = project(staged(trained, table(2), tmp_path, lr, noise, denoiser="published"), lr)
    assert np.abs(run(model, tmp_path, lr=lr, noise=noise) - expected).max() <= 1e-4
    assert constant_additions(model) == 5 * 2  # one a block and step, where zero padding forbids folding


@pytest.mark.parametrize("steps", [1, 4])
def test_the_time_embedding_is_gone(trained: Networks, steps: int) -> None:
    model = composed(trained, table(steps))
    assert not {"Gemm", "MatMul", "Sin", "Cos", "Exp"} & set(operators(model))
    assert constant_additions(model) == 0
    assert (512, 256) not in {tuple(tensor.dims) for tensor in model.graph.initializer}  # of the time MLP


def test_it_is_plain_onnx_of_its_release(trained: Networks) -> None:
    model = composed(trained, table(2))
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 20)]
    assert model.ir_version <= 10
    assert {node.domain for node in model.graph.node} == {""}
    assert b"unet_lite.py" not in model.SerializeToString()  # stack traces, with the paths of the machine


def test_the_ports_are_those_of_the_bundle(trained: Networks) -> None:
    graph = composed(trained, table(1)).graph
    shapes = {
        port.name: [axis.dim_param or axis.dim_value for axis in port.type.tensor_type.shape.dim]
        for port in [*graph.input, *graph.output]
    }
    assert shapes == {"lr": ["N", 1, 64, 64], "noise": ["N", 4, 32, 32], "sr": ["N", 1, 256, 256]}


def test_steps_share_their_weights(trained: Networks) -> None:
    once, four_times = (composed(trained, table(steps)).ByteSize() for steps in (1, 4))
    assert four_times < 1.05 * once


def test_the_batch_is_free(trained: Networks, tmp_path: Path) -> None:
    lr, noise = drawn(3)
    model = composed(trained, table(2))
    together = run(model, tmp_path, lr=lr, noise=noise)
    apart = [run(model, tmp_path, lr=lr[i : i + 1], noise=noise[i : i + 1]) for i in range(3)]
    np.testing.assert_allclose(together, np.concatenate(apart), atol=1e-5)


@pytest.mark.parametrize("rounds", [1, 2, ROUNDS])
def test_the_projection_is_numpys(toys: Networks, tmp_path: Path, rounds: int) -> None:
    lr, noise = drawn(2, noise=20)
    plain = staged(toys, table(2), tmp_path, lr, noise)
    assert plain.min() < -0.1 and plain.max() > 1.1  # so that the clip has work
    got = run(composed(toys, table(2), projection_rounds=rounds), tmp_path, lr=lr, noise=noise)
    assert np.abs(got - project(plain, lr, rounds=rounds)).max() <= 1e-5


def test_black_and_white_blocks_are_numpys_too(toys: Networks, tmp_path: Path) -> None:
    _, noise = drawn(noise=5)
    lr = (np.indices((64, 64)).sum(0) // 3 % 2).astype(np.float32)[None, None]  # 0 and 1 alone: no pixel has room left
    expected = project(staged(toys, table(1), tmp_path, lr, noise), lr)
    got = run(composed(toys, table(1)), tmp_path, lr=lr, noise=noise)
    assert np.abs(got - expected).max() <= 1e-5
    assert got.min() == 0 and got.max() == 1


@pytest.mark.parametrize("rounds", [1, ROUNDS])
def test_three_channels_are_projected_each_for_itself(colour_toys: Networks, tmp_path: Path, rounds: int) -> None:
    lr, noise = drawn(2, channels=3, noise=20)
    plain = staged(colour_toys, table(1), tmp_path, lr, noise)
    got = run(composed(colour_toys, table(1), projection_rounds=rounds), tmp_path, lr=lr, noise=noise)
    assert np.abs(got - project(plain, lr, rounds=rounds)).max() <= 1e-5


@pytest.mark.parametrize("networks", ["toys", "colour_toys"])
def test_without_projection_the_clip_is_left(request: pytest.FixtureRequest, tmp_path: Path, networks: str) -> None:
    parts: Networks = request.getfixturevalue(networks)
    lr, noise = drawn(channels=3 if networks == "colour_toys" else 1, noise=20)
    plain = staged(parts, table(1), tmp_path, lr, noise)
    got = run(composed(parts, table(1), projection_rounds=0), tmp_path, lr=lr, noise=noise)
    assert np.abs(got - plain.clip(0, 1)).max() <= 1e-6
    assert np.abs(area_mean(got) - lr).max() > 0.01


def test_a_sampler_that_draws_noise_is_refused(toys: Networks) -> None:
    with pytest.raises(UsageError, match="draws noise"):
        composed(toys, table(4, "ddpm"))


def test_the_networks_are_left_alone(toys: Networks) -> None:
    before = {role: network.SerializeToString() for role, network in toys.items()}
    composed(toys, table(2))
    assert {role: network.SerializeToString() for role, network in toys.items()} == before


@pytest.mark.parametrize(
    ("role", "network", "message"),
    [
        ("encoder", "(float[N,1,64,64] x) => (float[N,1,64,64] cond) { cond = Neg(x) }", "encoder: ports: x -> cond"),
        ("decoder", "(float[2] latents, float[2] lr) => (float[2] y) { y = Add(latents, lr) }", "expected latents lr"),
        ("encoder", "(float[N,C,64,64] lr) => (float[N,C,64,64] cond) { cond = Neg(lr) }", "fixed number of channels"),
        ("encoder", "(float[2] lr) => (float[2] cond) { cond = com.acme.Neg(lr) }", "encoder: operators of com.acme"),
    ],
)
def test_networks_that_do_not_fit_are_refused(toys: Networks, role: str, network: str, message: str) -> None:
    header = '<ir_version: 10, opset_import: ["" : 20, "com.acme" : 1]>'
    other = onnx.parser.parse_model(f"{header} {role} {network}")
    with pytest.raises(UsageError, match=message):
        composed({**toys, role: other}, table(1))


@pytest.mark.parametrize("opsets", [(19, 20, 20), (18, 18, 18), (21, 21, 21)])
def test_other_opsets_are_refused(toys: Networks, opsets: tuple[int, ...]) -> None:
    others = {}
    for (role, network), opset in zip(toys.items(), opsets, strict=True):
        others[role] = onnx.ModelProto.FromString(network.SerializeToString())
        others[role].opset_import[0].version = opset
    with pytest.raises(UsageError, match=f"opsets: encoder {opsets[0]}.*19 or 20"):
        composed(others, table(1))
