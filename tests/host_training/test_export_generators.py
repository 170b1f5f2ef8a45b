"""Feed-forward trainings to bundles: trained for two steps with thin nets, exported as it is typed, and run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file

from edge_sr.artifacts.bundle import Bundle, file_sha256
from edge_sr.errors import UsageError
from edge_sr.models import load_model
from host_training.export import export
from host_training.nets.espcn import Espcn
from host_training.train_command import train
from host_training.trainings import GENERATORS, TRAININGS
from tests.host_training.test_train_gan import data_dir  # noqa: F401  a fixture

SCHEDULE = (
    "[schedule]\nsteps = 2\nbatch = 2\ncrop = 32\nlearning_rate = 1e-3\nwarmup = 0\nprecision = 'fp32'\n"
    "augment = 'turns'\n"
)
THIN = {
    "fast": "[loss]\nsquared = 1.0\n[generator]\nnet = 'compact'\nchannels = 1\nwidth = 4\ndepth = 1\n"
    "activation = 'relu'\nskip = 'bicubic'\n",
    "espcn": "[data]\nkind = 'natural'\ndegradation = 'bicubic'\n[loss]\nsquared = 1.0\n[generator]\nnet = 'espcn'\n",
    "rrdb": "[data]\ndegradation = 'high-order'\n[generator]\nnet = 'rrdb'\nchannels = 1\nwidth = 4\ngrowth = 2\n"
    "blocks = 1\n",
    "retina-x2": "[data]\nkind = 'natural'\ndegradation = 'high-order'\n[generator]\nnet = 'rrdb'\nchannels = 3\n"
    "scale = 2\nwidth = 4\ngrowth = 2\nblocks = 1\n",
}


def typed(command: object, *words: object) -> Result:
    return CliRunner().invoke(command, [str(word) for word in words], catch_exceptions=False)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def runs(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    folder = tmp_path_factory.mktemp("runs")
    for name, text in THIN.items():
        config = folder / f"{name}.toml"
        config.write_text(SCHEDULE + text)
        done = typed(train, name, "--data", data_dir, "--runs", folder, "--config", config)
        assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(scope="module", params=list(THIN))
def bundle(request: pytest.FixtureRequest, runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    out = tmp_path_factory.mktemp("bundles") / request.param
    done = typed(export, "--mode", request.param, "--runs", runs, "-o", out)
    assert done.exit_code == 0, done.output
    return Bundle.open(out)


def test_a_bundle_says_what_it_takes_and_how_it_was_trained(bundle: Bundle) -> None:
    manifest, name = bundle.manifest, bundle.folder.name
    assert manifest.family == ("espcn" if name == "espcn" else "rrdb")
    assert manifest.input.channels == (3 if name in ("espcn", "retina-x2") else 1)
    assert manifest.scale == (2 if name == "retina-x2" else 4)
    degradations = {"fast": "area", "espcn": "bicubic", "rrdb": "high-order", "retina-x2": "high-order"}
    assert manifest.input.degradation == degradations[name]
    assert json.loads((bundle.folder / "training" / "training.json").read_text())["settings"]["schedule"]["steps"] == 2
    assert "Not for diagnostic use" in (bundle.folder / "MODEL_CARD.md").read_text()


def test_a_bundle_runs(bundle: Bundle) -> None:
    given = bundle.manifest.input
    lr = np.random.default_rng(0).random((1, given.channels, 64, 64), np.float32)
    with load_model(bundle.folder, threads=1) as model:
        sr = model(lr, noise=None, fidelity=1.0)
    side = 64 * bundle.manifest.scale
    assert sr.shape == (1, given.channels, side, side) and sr.min() >= 0 and sr.max() <= 1


def test_batch_norm_is_folded_at_export(runs: Path, tmp_path: Path) -> None:
    assert typed(export, "--mode", "espcn", "--runs", runs, "-o", tmp_path / "bundle").exit_code == 0
    graph = onnx.load(tmp_path / "bundle" / "onnx" / "generator.onnx").graph
    assert "BatchNormalization" not in {node.op_type for node in graph.node}
    state = load_file(runs / "espcn" / "weights.safetensors")
    net = Espcn()
    net.load_state_dict({name.removeprefix("generator."): value for name, value in state.items()}, strict=False)
    lr = torch.rand(1, 3, 64, 64)
    with load_model(tmp_path / "bundle", threads=1) as model, torch.no_grad():
        expected = net.eval()(lr).clamp(0, 1).numpy()
        assert np.abs(model(lr.numpy(), noise=None, fidelity=1.0) - expected).max() < 1e-4


def test_a_training_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no such file(.|\n)*edge-sr-host train fast"):
        typed(export, "--mode", "fast", "--runs", tmp_path, "-o", tmp_path / "bundle")


@pytest.mark.parametrize("option", [("--steps", 2), ("--fidelity", 0.5), ("--baselines", "baselines")])
def test_a_generator_has_no_steps_noise_or_encoder(runs: Path, tmp_path: Path, option: tuple[object, ...]) -> None:
    with pytest.raises(UsageError, match="leave it out"):
        typed(export, "--mode", "fast", "--runs", runs, "-o", tmp_path / "bundle", *option)
    assert not (tmp_path / "bundle").exists()


def test_every_generator_training_has_a_configuration() -> None:
    from host_training.loop import CONFIGS

    assert all((CONFIGS / f"{name}.toml").is_file() for name in TRAININGS)
    assert set(THIN) <= set(GENERATORS)


def test_a_start_is_taken_only_where_it_is_used(data_dir: Path, tmp_path: Path) -> None:  # noqa: F811
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"")
    with pytest.raises(UsageError, match="autoencoder does not take it"):
        typed(train, "autoencoder", "--data", data_dir, "--runs", tmp_path, "--start", weights)


def test_a_second_stage_tells_of_the_first(data_dir: Path, runs: Path, tmp_path: Path) -> None:  # noqa: F811
    config = tmp_path / "second.toml"
    config.write_text(SCHEDULE + THIN["fast"])
    weights = runs / "fast" / "weights.safetensors"
    done = typed(train, "compact", "--data", data_dir, "--runs", runs, "--config", config, "--start", weights)
    assert done.exit_code == 0, done.output
    assert typed(export, "--mode", "compact", "--runs", runs, "-o", tmp_path / "bundle").exit_code == 0
    assert list(json.loads((tmp_path / "bundle" / "training" / "log.json").read_text())) == ["fast", "compact"]
    provenance = Bundle.open(tmp_path / "bundle").manifest.provenance
    assert provenance["start_sha256"] == file_sha256(weights)
