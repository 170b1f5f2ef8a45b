"""A paper training as a bundle: every step of DDPM, network by network, on whatever runs bundles."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edge_sr.artifacts.bundle import Bundle, write_bundle
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.diffusion.noise import noise_field
from edge_sr.errors import IntegrityError, UsageError
from edge_sr.image.consistency import area_mean
from edge_sr.models.latent_diffusion import LatentDiffusion
from host_training.export import export
from host_training.nets.kl_autoencoder import new_autoencoder, save_autoencoder
from host_training.trained import MODES
from tests.conftest import RunCli
from tests.host_training.paper.runs import config_text, trained

LR = np.random.default_rng(0).uniform(0.3, 0.7, (1, 1, 64, 64)).astype(np.float32)


@pytest.fixture(scope="module")
def runs(data_dir: Path, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    denoiser = 'kind = "cross_attention"\nwidths = [8, 8, 8]'  # the one with operators that no other network has
    trained(config_text(checkpoint, steps=1, denoiser=denoiser), data_dir, folder / "paper")
    return folder


def exported(*words: object) -> Result:
    return CliRunner().invoke(export, ["--mode", "paper", *map(str, words)])


@pytest.fixture(scope="module")
def bundle(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("bundles") / "paper"
    result = exported("--runs", runs, "-o", folder)
    assert result.exit_code == 0, result.output
    return Bundle.open(folder)


def sampled(bundle: Bundle, *, seed: int = 0, steps: int | None = None) -> np.ndarray:
    with LatentDiffusion(bundle, OnnxRuntime(threads=1), steps=steps) as model:
        shape = model.noise_shape(64, 64)
        return model(
            LR,
            noise=noise_field(seed, shape),
            fidelity=model.fidelity,
            noise_of_step=lambda step: noise_field(seed, shape, step=step + 1),
        )


def test_the_manifest_says_how_it_was_trained(bundle: Bundle) -> None:
    manifest = bundle.manifest
    assert manifest.name == "cxr-x4-paper" and manifest.input.degradation == "area"
    assert manifest.diffusion is not None and manifest.sampler is not None
    assert manifest.diffusion.prediction_type == "epsilon" and not manifest.diffusion.rescale_betas_zero_snr
    assert (manifest.sampler.name, manifest.sampler.num_inference_steps, manifest.sampler.fidelity) == ("ddpm", 300, 0)
    assert list(manifest.networks) == ["encoder", "denoiser", "decoder"]
    assert [spec.name for spec in manifest.networks["decoder"].inputs] == ["latents", "lr"]
    assert set(manifest.provenance) >= {"weights_sha256", "autoencoder_sha256", "data_manifest_sha256"}


def test_the_card_and_the_record_travel_with_it_and_no_path_does(bundle: Bundle, checkpoint: Path) -> None:
    assert "300 steps of DDPM" in (bundle.folder / "MODEL_CARD.md").read_text()
    record = (bundle.folder / "training" / "training.json").read_text()
    assert json.loads(record)["settings"]["autoencoder"]["source"] == checkpoint.name
    assert str(checkpoint.parent) not in record


def test_edge_sr_runs_every_step_and_the_seed_fixes_the_picture(bundle: Bundle, cli: RunCli, chest: Path) -> None:
    for out, seed in (("a", 0), ("b", 0), ("c", 1)):
        result = cli("run", chest, "--model", bundle.folder, "-o", out, "--seed", seed)
        assert result.exit_code == 0, result.output
    pictures = [(chest.parent / out / "chest_x4.png").read_bytes() for out in "abc"]
    assert pictures[0] == pictures[1] != pictures[2]
    provenance = json.loads((chest.parent / "a" / "chest_x4.json").read_text())
    assert (provenance["sampler"], provenance["steps"], provenance["fidelity"]) == ("ddpm", 300, 0)


def test_a_shift_of_brightness_is_projected_away_where_lr_is_the_area_mean(bundle: Bundle, tmp_path: Path) -> None:
    sr = sampled(bundle, steps=10)
    assert sr.shape == (1, 1, 256, 256)
    assert abs(float(area_mean(sr).mean() - LR.mean())) < 0.25 / 255

    shutil.copytree(bundle.folder, tmp_path / "staging", ignore=shutil.ignore_patterns("manifest.json"))
    spec = replace(bundle.manifest.input, degradation="cubic")
    manifest = replace(bundle.manifest, input=spec, files={})
    cubic = write_bundle(tmp_path / "cubic", staging=tmp_path / "staging", manifest=manifest)
    plain = sampled(cubic, steps=10)
    assert not np.array_equal(plain, sr)  # the decoder's own: the projection would damage even the truth there


def test_another_autoencoder_than_the_trained_one_is_refused(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs, tmp_path / "runs")
    save_autoencoder(new_autoencoder("tiny", seed=9), tmp_path / "other")
    file = tmp_path / "runs" / "paper" / "training.json"
    record = json.loads(file.read_text())
    record["settings"]["autoencoder"]["source"] = str(tmp_path / "other")
    file.write_text(json.dumps(record))
    with pytest.raises(IntegrityError, match="other: is not the autoencoder that this denoiser was trained with"):
        MODES["paper"](tmp_path / "runs", None)


def test_a_bundle_of_nothing_says_what_to_type(tmp_path: Path) -> None:
    result = exported("--runs", tmp_path, "-o", tmp_path / "bundle")
    assert isinstance(result.exception, UsageError)
    assert "edge-sr-host train paper" in str(result.exception)


def test_there_is_no_graph_of_fewer_steps(runs: Path, tmp_path: Path) -> None:
    result = exported("--runs", runs, "-o", tmp_path / "bundle", "--steps", 4)
    assert isinstance(result.exception, UsageError)
    assert "--steps: paper mode runs every step" in str(result.exception) and not (tmp_path / "bundle").exists()
