"""The published system without a training, with a tiny autoencoder: sane numbers, and nobody takes it for a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from edge_sr.artifacts.bundle import Bundle
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.diffusion.noise import noise_field
from edge_sr.errors import UsageError
from edge_sr.image.phantom import chest_phantom
from edge_sr.models.latent_diffusion import LatentDiffusion
from host_training.export import export
from host_training.loop import CONFIGS, read_config
from host_training.random_weights import CONFIG, random_weights
from host_training.trained import Trained
from tests.conftest import RunCli
from tests.published_bundle import published_bundle

SETTINGS = read_config(CONFIGS / CONFIG) | {"autoencoder": {"architecture": "tiny"}}
LR = chest_phantom(64).astype(np.float32)[None, None] / 255


def drawn(seed: int = 0, **tables: Mapping[str, Any]) -> Trained:
    return random_weights({**SETTINGS, **tables}, seed=seed)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return published_bundle(tmp_path_factory.mktemp("bundles"), "--seed", "3")


def refused(*words: object) -> str:
    result = CliRunner().invoke(export, [str(word) for word in words])
    assert isinstance(result.exception, UsageError), result.output
    return str(result.exception)


def test_the_shipped_configuration_is_the_published_system() -> None:
    settings = read_config(CONFIGS / CONFIG)
    paper = read_config(CONFIGS / "paper.toml")
    assert settings["autoencoder"] == {"architecture": "published"}
    assert {name: settings[name] for name in ("denoiser", "diffusion")} == {
        name: paper[name] for name in ("denoiser", "diffusion")
    }


def test_the_seed_alone_decides() -> None:
    torch.manual_seed(1)
    one = drawn(seed=5).provenance
    torch.manual_seed(2)
    assert drawn(seed=5).provenance == one
    other = drawn(seed=6).provenance
    assert other["weights_sha256"] != one["weights_sha256"]
    assert other["autoencoder_sha256"] != one["autoencoder_sha256"]


def test_the_condition_is_as_large_as_the_noise_beside_it() -> None:
    with torch.no_grad():
        cond = drawn().encoder(torch.from_numpy(LR))
    assert 0.5 < cond.std().item() < 2


@pytest.mark.parametrize(("sampler", "steps", "largest"), [("ddim", 25, 6.0), ("ddpm", 300, 10.0)])
def test_latents_stay_in_hand_and_the_denoiser_counts(bundle: Bundle, sampler: str, steps: int, largest: float) -> None:
    with LatentDiffusion(bundle, OnnxRuntime(threads=1), sampler=sampler, steps=steps) as model:
        shape = model.noise_shape(64, 64)

        def latents_of(lr: np.ndarray) -> np.ndarray:
            later = lambda step: noise_field(0, shape, step=step + 1)  # noqa: E731
            return model.latents(lr, noise=noise_field(0, shape), fidelity=0.0, noise_of_step=later)

        latents, blank = latents_of(LR), latents_of(0 * LR)
        sr = model.decode(latents, LR)
    assert np.isfinite(latents).all() and 1 < latents.std() < largest
    assert np.abs(latents - blank).mean() > 0.05  # what the denoiser makes of the picture
    assert sr.std() > 8 / 255 and ((sr > 0) & (sr < 1)).mean() > 0.9


def test_the_bundle_says_that_it_is_random_wherever_it_says_anything(bundle: Bundle) -> None:
    manifest = bundle.manifest
    assert manifest.name == "cxr-x4-paper-random" and manifest.version.endswith("+random")
    assert "random" in manifest.intended_use and "mean nothing" in str(manifest.provenance["weights"])
    assert manifest.provenance["seed"] == 3
    assert manifest.provenance["settings"]["autoencoder"] == {"architecture": "tiny"}  # type: ignore[index]
    card = (bundle.folder / "MODEL_CARD.md").read_text()
    assert "The weights are random" in card and "estimate" not in card and "{" not in card


def test_it_is_the_published_chain(bundle: Bundle) -> None:
    manifest = bundle.manifest
    assert list(manifest.networks) == ["encoder", "denoiser", "decoder"]
    assert manifest.sampler is not None and manifest.input.degradation == "cubic"
    assert (manifest.sampler.name, manifest.sampler.num_inference_steps, manifest.sampler.fidelity) == ("ddpm", 300, 0)


def test_a_picture_of_it_says_so_too(bundle: Bundle, cli: RunCli, chest: Path, tmp_path: Path) -> None:
    result = cli("run", chest, "--model", bundle.folder, "-o", tmp_path, "--sampler", "ddim", "--steps", 2)
    assert result.exit_code == 0, result.output
    assert "random" in json.loads((tmp_path / "chest_x4.json").read_text())["model"]


def test_a_data_folder_is_not_claimed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data_dir: Path) -> None:
    monkeypatch.setenv("EDGE_SR_DATA", str(data_dir))
    assert "data_manifest_sha256" not in published_bundle(tmp_path).manifest.provenance


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--random-weights",), "--random-weights: only the published system has them"),
        (("--random-weights", "--mode", "paper", "--steps", 4), "--steps: paper mode runs every step"),
        (("--mode", "paper", "--seed", 1), "--seed: only random weights have one"),
        (("--mode", "paper", "--runs", "gone"), "gone: no such folder"),
    ],
)
def test_faults_of_the_command_line(words: tuple[object, ...], message: str, tmp_path: Path) -> None:
    assert message in refused(*words, "-o", tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"denoiser": {"kind": "deep"}}, "kind = 'deep' is not drawn at random"),
        ({"autoencoder": {"architecture": "vast"}}, "no such architecture: vast"),
        ({"autoencoder": {"source": "somebody/elses"}}, "no such key: source"),
        ({"schedule": {"steps": 3}}, r"no such table: \[schedule\]"),
    ],
)
def test_faults_of_the_configuration(tables: Mapping[str, Mapping[str, Any]], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        drawn(**tables)
