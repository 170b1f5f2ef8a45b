"""Paper mode: what is learnt, what is not, and that validation and resuming owe nothing to chance."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file
from torch import Tensor

from edge_sr.diffusion.samplers import PREDICTION_TYPES, sample
from edge_sr.errors import IntegrityError, UsageError
from host_training.data.crops import hr_stack, load_pictures, unit
from host_training.loop import CONFIGS, Schedule, read_config
from host_training.loop.checkpoints import fingerprint
from host_training.losses import min_snr_weights
from host_training.nets.kl_autoencoder import load_autoencoder, new_autoencoder, save_autoencoder
from host_training.nets.paper_model import DENOISERS, PaperModel
from host_training.prepare.command import prepare
from host_training.settings import table_as
from host_training.train_kl_autoencoder import train_kl_autoencoder
from host_training.train_paper import fixed_loss, prediction_error
from tests.host_training.paper.runs import PLAN, config_text, trained

V_PREDICTION = '[diffusion]\nprediction_type = "v_prediction"\nrescale_betas_zero_snr = true\n'


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def without_times(out: Path) -> list[dict[str, Any]]:
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines(out)]


def weights(out: Path) -> dict[str, Tensor]:
    return load_file(out / "weights.safetensors")


@pytest.fixture(scope="module")
def run(data_dir: Path, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(config_text(checkpoint), data_dir, tmp_path_factory.mktemp("runs") / "paper")


@pytest.fixture
def model(checkpoint: Path) -> PaperModel:
    return PaperModel({"denoiser": {"widths": [8, 8, 16]}}, load_autoencoder(checkpoint))


def test_the_shipped_configuration_is_the_published_system(checkpoint: Path) -> None:
    settings = read_config(CONFIGS / "paper.toml")
    model = PaperModel(settings, load_autoencoder(checkpoint))
    assert settings["autoencoder"]["source"] == "stabilityai/sd-vae-ft-mse"
    assert sum(value.numel() for value in model.denoiser.parameters()) == 813_220
    assert model.prediction_type == "epsilon" and len(model.alphas_cumprod) == 300
    np.testing.assert_allclose(model.alphas_cumprod, np.cumprod(1 - np.linspace(1e-4, 0.02, 300)))
    schedule = table_as(Schedule, settings, "schedule")
    assert (schedule.batch, schedule.learning_rate, schedule.crop) == (4, 1e-4, 256)
    assert schedule.augment == "paper" and settings["loss"]["min_snr_gamma"] == 0


def test_a_training_leaves_a_denoiser_and_its_record(run: Path, checkpoint: Path) -> None:
    assert {name.partition(".")[0] for name in weights(run)} == {"denoiser"}
    record = json.loads((run / "training.json").read_text())
    assert record["degradation"] == "area" and record["settings"]["diffusion"]["prediction_type"] == "epsilon"
    assert record["autoencoder_sha256"] == fingerprint(load_autoencoder(checkpoint).state_dict())
    assert [line["step"] for line in lines(run) if "validation_loss" in line] == [2, 4]
    assert all(0.1 < line["loss"] < 10 for line in lines(run) if "loss" in line)
    assert (run / "panels" / "step-000004.png").is_file()


def test_cached_latents_are_those_of_the_frozen_autoencoder(run: Path, checkpoint: Path) -> None:
    tensors = load_file(run / "latents-train.safetensors")
    assert tensors["latents"].shape == tensors["cond"].shape == (3, 4, 32, 32)
    assert load_file(run / "latents-validation.safetensors")["cond"].shape == (2, 4, 32, 32)


def test_the_gradient_reaches_the_denoiser_and_no_frozen_weight(model: PaperModel) -> None:
    lr, hr = torch.rand(1, 1, 64, 64), torch.rand(1, 1, 256, 256)
    latents = model.hr_encoder(hr), model.encoder(lr)
    error = prediction_error(model, latents, torch.randn_like(latents[0]), torch.tensor([100]))
    (error.sum() + model.decoder(model.denoiser(*latents, torch.tensor([0])), lr).sum()).backward()
    assert all(value.grad is not None for value in model.denoiser.parameters())
    assert all(value.grad is None for value in model.decoder.parameters())


def test_validation_is_a_function_of_the_weights_alone(model: PaperModel) -> None:
    latents = torch.randn(3, 4, 32, 32), torch.randn(3, 4, 32, 32)
    with torch.no_grad():
        torch.manual_seed(0)
        first = fixed_loss(model, latents, torch.device("cpu"))
        torch.manual_seed(1)
        assert fixed_loss(model, latents, torch.device("cpu")) == first
        torch.nn.init.zeros_(model.denoiser.get_parameter("out.weight"))
        torch.nn.init.zeros_(model.denoiser.get_parameter("out.bias"))
        assert fixed_loss(model, latents, torch.device("cpu")) == pytest.approx(1, abs=0.05)  # epsilon is normal


def test_resuming_is_exact(run: Path, data_dir: Path, checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs" / "paper"
    trained(config_text(checkpoint), data_dir, out, until=2)
    trained(config_text(checkpoint), data_dir, out, seed=5)
    resumed, unbroken = weights(out), weights(run)
    assert all(torch.equal(resumed[name], unbroken[name]) for name in unbroken)
    assert without_times(out) == without_times(run)


def test_going_on_with_another_autoencoder_is_refused(run: Path, data_dir: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(run, tmp_path / "runs" / "paper"))
    save_autoencoder(new_autoencoder("tiny", seed=9), tmp_path / "other")
    with pytest.raises(IntegrityError, match="made with another origin"):
        trained(config_text(tmp_path / "other"), data_dir, out)


@pytest.mark.parametrize("kind", [kind for kind in DENOISERS if kind != "lite"])
def test_the_denoisers_of_the_future_train_too(kind: str, data_dir: Path, checkpoint: Path, tmp_path: Path) -> None:
    text = config_text(
        checkpoint,
        steps=1,
        denoiser=f'kind = "{kind}"\nwidths = [8, 8, 16]',
        more=f"{V_PREDICTION}[loss]\nmin_snr_gamma = 5.0",
    )
    out = trained(text, data_dir, tmp_path / "runs" / "paper")
    assert all(bool(value.isfinite().all()) for value in weights(out).values())


@pytest.mark.parametrize("prediction_type", PREDICTION_TYPES)
def test_what_the_denoiser_is_asked_for_leads_the_sampler_back(prediction_type: str, checkpoint: Path) -> None:
    """A perfect denoiser, sampled by the device's own table, gives the clean latents."""
    settings = {"diffusion": {"prediction_type": prediction_type}, "denoiser": {"widths": [8, 8, 8]}}
    model = PaperModel(settings, load_autoencoder(checkpoint))
    clean, noise, table = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8), model.table("ddim", 5)

    def denoise(z: np.ndarray, timestep: int) -> np.ndarray:
        t = torch.tensor([timestep])
        abar = model.abar(t)[:, None, None, None]
        return model.noisy(clean, (torch.from_numpy(z) - abar.sqrt() * clean) / (1 - abar).sqrt(), t)[1].numpy()

    start, _ = model.noisy(clean, noise, torch.from_numpy(table.timesteps[:1]))
    np.testing.assert_allclose(sample(table, denoise, start.numpy()), clean.numpy(), atol=1e-4)


@pytest.mark.parametrize(
    ("diffusion", "largest_shift"),
    [({}, 0.06), ({"prediction_type": "v_prediction", "rescale_betas_zero_snr": True}, 1e-6)],
)
def test_starting_from_pure_noise_shifts_brightness_unless_the_snr_ends_in_zero(
    diffusion: dict[str, Any], largest_shift: float, checkpoint: Path
) -> None:
    """sqrt(abar_299) = 0.219 of the picture is left in the noisiest training latents, and in pure noise nothing.

    The best denoiser of latents with mean 1 and variance 1; the mean of what it draws, by leaving all noise at its own.
    """
    model = PaperModel({"diffusion": diffusion, "denoiser": {"widths": [8, 8, 8]}}, load_autoencoder(checkpoint))
    table, abar = model.table("ddpm", 300), model.alphas_cumprod
    largest = np.sqrt(abar[-1])
    assert largest == pytest.approx(0 if diffusion else 0.219, abs=1e-3)

    def denoise(z: np.ndarray, timestep: int) -> np.ndarray:
        alpha, sigma = np.sqrt(abar[timestep]), np.sqrt(1 - abar[timestep])
        x0 = sigma**2 + alpha * z  # E[x0 | z] for x0 ~ N(1, 1)
        noise = (z - alpha * x0) / sigma
        return alpha * noise - sigma * x0 if diffusion else noise

    mean = sample(table, denoise, np.zeros(1), noise_of_step=lambda step: np.zeros(1))
    shift = 1 - float(mean[0])
    assert abs(shift) <= largest_shift
    assert shift == pytest.approx(largest**2, abs=1e-6)


def test_min_snr_weights_are_one_loss_in_three_forms(checkpoint: Path) -> None:
    """The error of x0, weighted by min(SNR, 5), whatever the network predicts."""
    abar = torch.tensor([0.9999, 0.9, 0.5, 0.048], dtype=torch.float64)
    snr = abar / (1 - abar)
    x0_error = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    expected = torch.minimum(snr, torch.tensor(5.0)) * x0_error
    errors = {"sample": x0_error, "epsilon": snr * x0_error, "v_prediction": (snr + 1) * x0_error}
    for prediction_type, error in errors.items():
        torch.testing.assert_close(min_snr_weights(abar, prediction_type, gamma=5.0) * error, expected)
    assert min_snr_weights(torch.zeros(1), "epsilon", gamma=5.0) == 1  # zero terminal SNR divides nothing by zero


def test_the_weighting_is_used(data_dir: Path, checkpoint: Path, run: Path, tmp_path: Path) -> None:
    text = config_text(checkpoint, steps=1, more="[loss]\nmin_snr_gamma = 0.5")
    weighted = lines(trained(text, data_dir, tmp_path / "runs" / "paper"))
    assert weighted[0]["loss"] < lines(run)[0]["loss"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("crop = 256", "crop = 128"), r"\[schedule\]: crop = 128; expected 256"),
        (lambda text: text.replace("[data]", "[dota]"), r"no such table: \[dota\]; expected \[autoencoder\], \[data\]"),
        (lambda text: text.replace("variants", "varients"), r"\[data\]: no such key: varients"),
        (lambda text: text.replace("source", "weights"), r"\[autoencoder\]: no such key: weights; expected source"),
        (lambda text: text + "[diffusion]\nrescale_betas_zero_snr = true\n", "epsilon prediction cannot start at zero"),
        (lambda text: text + '[diffusion]\nbeta_schedule = "sqrt"\n', "no such schedule: sqrt"),
    ],
)
def test_a_slip_in_the_configuration_is_named(
    change: Callable[[str], str], message: str, data_dir: Path, checkpoint: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        trained(change(config_text(checkpoint)), data_dir, tmp_path / "runs" / "paper")


def test_other_degradations_belong_to_another_family(data_dir: Path, checkpoint: Path, tmp_path: Path) -> None:
    words = [str(data_dir / "nih"), "-o", str(tmp_path / "store"), "--jobs", "1", "--degradation", "high-order"]
    assert CliRunner().invoke(prepare, [*words, "--patient-pattern", r"(\w+)-"]).exit_code == 0
    with pytest.raises(UsageError, match="paper mode has no degradation high-order; expected area, cubic"):
        trained(config_text(checkpoint), tmp_path / "store", tmp_path / "runs" / "paper")


def kl_trained(data_dir: Path, out: Path, *, steps: int) -> Path:
    out.parent.mkdir(exist_ok=True)
    config = out.parent / "kl.toml"
    config.write_text(f'[autoencoder]\narchitecture = "tiny"\n[schedule]\nsteps = {steps}\ncrop = 32\n{PLAN}')
    train_kl_autoencoder(config, data_dir=data_dir, out=out)
    return out / "diffusers"


def test_a_kl_autoencoder_is_trained_into_a_checkpoint_of_unit_variance(data_dir: Path, tmp_path: Path) -> None:
    folder = kl_trained(data_dir, tmp_path / "runs" / "kl-autoencoder", steps=2)
    net = load_autoencoder(folder)
    assert net.scaling_factor != 0.18215
    assert fingerprint(net.net.state_dict()) != fingerprint(new_autoencoder("tiny").state_dict())
    hr = unit(hr_stack(load_pictures(data_dir, "train", cache_dir=tmp_path))[:, None])
    assert float(net.encode(torch.from_numpy(hr)).std()) == pytest.approx(1, abs=1e-3)


def test_without_steps_its_weights_stay_random(data_dir: Path, tmp_path: Path) -> None:
    folder = kl_trained(data_dir, tmp_path / "runs" / "kl-autoencoder", steps=0)
    assert fingerprint(load_autoencoder(folder).net.state_dict()) == fingerprint(new_autoencoder("tiny").state_dict())
