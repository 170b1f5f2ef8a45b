"""The published system on its way to an engine: GroupNorm, SiLU and attention beside convolutions, 25 steps."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the networks are PyTorch's")
pytest.importorskip("diffusers", reason="its autoencoder is diffusers'")
onnx = pytest.importorskip("onnx", reason="graphs are composed with onnx")
ort = pytest.importorskip("onnxruntime", reason="the graphs run in ONNX Runtime")

from build_engines.chain_graphs import Graphs, float_graphs, running  # noqa: E402
from build_engines.lint import VERSIONS, as_text, lint  # noqa: E402
from build_engines.quantize import FLAVOURS, Placement, insert_qdq, placement  # noqa: E402
from edge_sr.artifacts.bundle import Bundle  # noqa: E402
from edge_sr.artifacts.chain import Chain, chain_of  # noqa: E402
from edge_sr.backends.onnxrt import OnnxRuntime  # noqa: E402
from edge_sr.models.latent_diffusion import LatentDiffusion  # noqa: E402
from tests.conftest import RunCli  # noqa: E402
from tests.published_bundle import published_bundle  # noqa: E402
from tests.sim.install import install  # noqa: E402
from tests.sim.machine import Machine  # noqa: E402

CONVOLUTIONS = ("Conv", "ConvTranspose")
both = pytest.mark.parametrize("flavour", list(FLAVOURS))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return published_bundle(tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="module", params=["composed", "staged"])
def chain(bundle: Bundle, request: pytest.FixtureRequest) -> Chain:
    return chain_of(bundle, sampler="ddim", steps=25) if request.param == "composed" else chain_of(bundle)


@pytest.fixture(scope="module")
def graphs(chain: Chain) -> Graphs:
    return float_graphs(chain)


def left_high(model: onnx.ModelProto, places: Placement) -> set[str]:
    """The weights of convolutions that no pair stands before."""
    chosen = {convolution.name for convolution in places.convolutions}
    return {n.input[1] for n in model.graph.node if n.op_type in CONVOLUTIONS and n.output[0] not in chosen}


def test_25_steps_in_one_graph_are_the_staged_chain(bundle: Bundle) -> None:
    rng = np.random.default_rng(0)
    lr, noise = rng.random((2, 1, 64, 64), np.float32), rng.standard_normal((2, 4, 32, 32), np.float32)
    chain = chain_of(bundle, sampler="ddim", steps=25)
    with running(chain, float_graphs(chain), OnnxRuntime(1)) as model:
        got = model(lr, noise=noise, fidelity=0)
    with LatentDiffusion(bundle, OnnxRuntime(1), sampler="ddim", steps=25) as model:
        expected = model(lr, noise=noise, fidelity=0)
    assert np.abs(got - expected).max() < 1e-4


def test_no_shape_is_computed_at_run_time(graphs: Graphs) -> None:
    operators = Counter(node.op_type for model in graphs.values() for node in model.graph.node)
    assert operators["InstanceNormalization"] > 20 and not operators["Shape"]


@pytest.mark.parametrize("version", list(VERSIONS))
def test_tensorrt_reads_all_of_it(graphs: Graphs, version: str) -> None:
    for role, model in graphs.items():
        findings = lint(model, version=version)
        assert not findings, (role, as_text(findings))


@both
def test_convolutions_alone_are_quantised(graphs: Graphs, flavour: str) -> None:
    for model in graphs.values():
        places = placement(model, flavour)
        writer = {node.output[0]: node for node in model.graph.node}
        weights = {convolution.weight for convolution in places.convolutions}
        assert {writer[c.name].op_type for c in places.convolutions} <= set(CONVOLUTIONS)
        assert not weights & {n.input[1] for n in model.graph.node if n.op_type in ("MatMul", "Gemm")}
        assert not {writer[reader.node].op_type for reader in places.readers} & {"MatMul", "Gemm", "Softmax", "Sigmoid"}


@both
def test_the_ends_and_the_interpolation_stay_high(chain: Chain, graphs: Graphs, flavour: str) -> None:
    high = set().union(*(left_high(model, placement(model, flavour)) for model in graphs.values()))
    ends = {
        "encoder/phases.kernel",
        "encoder/autoencoder.net.encoder.conv_in.weight",
        "decoder/autoencoder.net.decoder.conv_out.weight",
    }
    if not chain.composed:  # each network has an end of its own
        ends |= {"encoder/autoencoder.net.quant_conv.weight", "denoiser/out.weight"}
    assert high == ends


@both
def test_the_interpolation_stays_high_where_ends_do_not(graphs: Graphs, flavour: str) -> None:
    high = set().union(*(left_high(model, placement(model, flavour, ends=True)) for model in graphs.values()))
    assert high == {"encoder/phases.kernel"}


def test_onnx_runtime_has_an_8_bit_kernel_for_every_convolution(graphs: Graphs, tmp_path: Path) -> None:
    for role, model in graphs.items():
        places = placement(model, "onnxruntime")
        rectified = {node.output[0] for node in model.graph.node if node.op_type in ("Relu", "MaxPool")}
        ranges = {name: (0.0 if name in rectified else -4.0, 4.0) for name in places.tensors}
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 4
        options.optimized_model_filepath = str(tmp_path / f"{role}.onnx")
        quantised = insert_qdq(model, ranges, places)
        ort.InferenceSession(quantised.SerializeToString(), options, providers=["CPUExecutionProvider"])
        operators = Counter(node.op_type for node in onnx.load(tmp_path / f"{role}.onnx").graph.node)
        chosen = {convolution.name for convolution in places.convolutions}
        # It has none for ConvTranspose, nor where the sampler reads what the denoiser predicts in float32.
        without = [n for n in model.graph.node if n.output[0] in chosen and n.op_type == "ConvTranspose"]
        without += [n for n in model.graph.node if n.output[0] in chosen and n.input[1] == "denoiser/out.weight"]
        assert operators["QLinearConv"] == len(chosen) - len(without)


QUICK = ("--backend", "onnxruntime", "--threads", "1", "--check-phantoms", "1", "--calibration-phantoms", "1")


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"], ids=["composed", "staged"])
def test_run_takes_its_fp16_engines(bundle: Bundle, sampler: str, cli: RunCli, chest: Path) -> None:
    words = ("--sampler", sampler, "--steps", "2")
    built = cli("build", bundle.folder, *words, *QUICK, "--precision", "fp16")
    assert built.exit_code == 0, built.output
    ran = cli("run", chest, "-o", "out", "--model", bundle.folder, *words, "--precision", "fp16", "--threads", "1")
    assert ran.exit_code == 0, ran.output
    record = json.loads((chest.parent / "out" / "chest_x4.json").read_text())
    assert record["precision"] == "fp16" and f"{sampler}-2-fp16-onnxruntime" in record["engine"]


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"], ids=["composed", "staged"])
def test_int8_is_refused_and_says_what_hurts(bundle: Bundle, sampler: str, cli: RunCli) -> None:
    words = ("--sampler", sampler, "--steps", "2", "--method", "minmax")
    built = cli("build", bundle.folder, *words, *QUICK, "--precision", "int8")
    assert built.exit_code == 4
    assert "has to be 48 dB or more" in built.output and "high wins" in built.output


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"], ids=["composed", "staged"])
def test_tensorrt_takes_it_too_on_the_simulator(
    bundle: Bundle, sampler: str, cli: RunCli, chest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Machine())
    words = ("--sampler", sampler, "--steps", "2", "--backend", "tensorrt", "--threads", "1")
    built = cli("build", bundle.folder, *words, "--precision", "fp16", "--check-phantoms", "1")
    assert built.exit_code == 0, built.output
    ran = cli("run", chest, "-o", "out", "--model", bundle.folder, *words)
    assert ran.exit_code == 0, ran.output
    record = json.loads((chest.parent / "out" / "chest_x4.json").read_text())
    assert record["precision"] == "fp16" and "simulated" in record["backend"]
