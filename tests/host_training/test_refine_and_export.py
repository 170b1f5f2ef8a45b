"""From trainings to a bundle and on to a further training: thin networks, commands as they are typed."""

# ruff: noqa: F811  a fixture that is imported and then asked for by name

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file

from edge_sr.artifacts.bundle import Bundle
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.models.latent_diffusion import LatentDiffusion
from host_training import trained as trained_modes
from host_training.export import export
from host_training.train_command import train
from tests.host_training.test_trainings import CONFIGS, data_dir, runs  # noqa: F401  fixtures

REFINE = CONFIGS["diffusion"].partition("[joint]")[2]


@pytest.fixture(scope="module", autouse=True)
def thin_configurations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``export`` reads the shipped configurations; here they are those of the thin networks."""
    folder = tmp_path_factory.mktemp("configs")
    for name, text in {**CONFIGS, "refine": f"[refine]{REFINE}"}.items():
        (folder / f"{name}.toml").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trained_modes, "CONFIGS", folder)
        patch.setattr("host_training.export.CONFIGS", folder)
        yield folder


def typed(command: object, *words: object) -> Result:
    return CliRunner().invoke(command, [str(word) for word in words], catch_exceptions=False)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def bundle(runs: Path, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("bundles")
    words = ("--runs", runs, "-o", folder / "edge", "--data", data_dir, "--baselines", folder / "baselines")
    result = typed(export, *words)
    assert result.exit_code == 0, result.output
    return Bundle.open(folder / "edge")


def refine(bundle: Bundle, data_dir: Path, out: Path, configs: Path, *words: object) -> Result:
    baselines = bundle.folder.parent / "baselines"
    return typed(
        train, "refine", "--data", data_dir, "--runs", out, "--config", configs / "refine.toml", "--from",
        bundle.folder, "--baselines", baselines, *words,
    )  # fmt: skip


@pytest.fixture(scope="module")
def refined(
    bundle: Bundle, data_dir: Path, thin_configurations: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of trainings after ``train refine``."""
    out = tmp_path_factory.mktemp("refined")
    result = refine(bundle, data_dir, out, thin_configurations)
    assert result.exit_code == 0, result.output
    return out


def test_an_edge_bundle_tells_what_it_was_made_from(bundle: Bundle, runs: Path) -> None:
    manifest = bundle.manifest
    assert (manifest.name, manifest.input.degradation) == ("cxr-x4-edge", "area")
    assert {"code_version", "weights_sha256", "training_data", "data_manifest_sha256"} <= set(manifest.provenance)
    log = json.loads((bundle.folder / "training" / "log.json").read_text())
    assert set(log) == {"autoencoder", "feedforward", "diffusion/latent", "diffusion/distil", "diffusion/joint"}
    assert (bundle.folder.parent / "baselines" / "regression.onnx").is_file()


def test_a_bundle_computes_what_was_trained(bundle: Bundle) -> None:
    lr = np.random.default_rng(0).uniform(0.3, 0.7, (1, 1, 64, 64)).astype(np.float32)
    with LatentDiffusion(bundle, OnnxRuntime(threads=1)) as model:
        sr = model(lr, noise=None, fidelity=1.0)
    assert sr.shape == (1, 1, 256, 256)
    np.testing.assert_allclose(sr.reshape(1, 1, 64, 4, 64, 4).mean((3, 5)), lr, atol=1e-5)


def test_refining_starts_from_the_weights_of_the_bundle(bundle: Bundle, runs: Path, refined: Path) -> None:
    before = load_file(runs / "diffusion" / "joint" / "weights.safetensors")
    after = load_file(refined / "refine" / "weights.safetensors")
    assert before.keys() == after.keys()
    moved = max(float((before[name] - after[name]).abs().max()) for name in before)
    assert 0 < moved < 4 * 1.5e-3  # four steps of AdamW, about 1e-3 each


def test_a_refined_bundle_carries_the_record_of_the_one_before(bundle: Bundle, refined: Path, tmp_path: Path) -> None:
    result = typed(export, "--mode", "refined", "--name", "again", "--runs", refined, "-o", tmp_path / "again")
    assert result.exit_code == 0, result.output
    again = Bundle.open(tmp_path / "again")
    assert again.manifest.provenance["refined_from"] == {
        "name": bundle.manifest.name, "version": bundle.manifest.version, "sha256": bundle.sha256,
    }  # fmt: skip
    names = {path.name for path in (again.folder / "training").iterdir()}
    assert names == {"autoencoder.toml", "feedforward.toml", "diffusion.toml", "refine.toml", "log.json"}
    log = json.loads((again.folder / "training" / "log.json").read_text())
    assert {"autoencoder", "diffusion/joint", "refine"} <= set(log)


def test_another_start_is_refused(
    bundle: Bundle,
    data_dir: Path,
    refined: Path,
    thin_configurations: Path,
    tmp_path: Path,
) -> None:
    typed(
        export, "--mode", "refined", "--runs", refined, "-o", tmp_path / "edge", "--baselines", tmp_path / "baselines"
    )
    other = Bundle.open(tmp_path / "edge")
    with pytest.raises(Exception, match="another origin"):
        refine(other, data_dir, refined, thin_configurations)


def test_a_bundle_is_for_trainings_that_start_from_one(data_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="feedforward does not take it"):
        typed(train, "feedforward", "--data", data_dir, "--runs", tmp_path, "--from", tmp_path)


def test_the_augmentation_of_the_command_line_is_what_is_trained(data_dir: Path, tmp_path: Path) -> None:
    config = tmp_path / "feedforward.toml"
    config.write_text(CONFIGS["feedforward"])
    for name in ("edge", "paper"):
        words = ("feedforward", "--data", data_dir, "--runs", tmp_path / name, "--config", config, "--augment", name)
        assert typed(train, *words).exit_code == 0
    one, other = (load_file(tmp_path / name / "feedforward" / "weights.safetensors") for name in ("edge", "paper"))
    assert any(not torch.equal(one[name], other[name]) for name in one)
