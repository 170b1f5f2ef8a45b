"""Each training for a few steps from files to weights: phantoms, thin networks, LPIPS with random weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from edge_sr.errors import IntegrityError, UsageError
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.png import write_png
from host_training.loop import read_checkpoint
from host_training.losses import Fire
from host_training.train_autoencoder import train_autoencoder
from host_training.train_diffusion import train_diffusion
from host_training.train_feedforward import train_feedforward
from tests.host_training.evaluation.toy_data import patients_of

PLAN = 'steps = 4\nbatch = 2\nlearning_rate = 1e-3\nwarmup = 1\ncheckpoint_every = 2\nprecision = "fp32"\n'
AUTOENCODER = "[hr_encoder]\nwidth = 8\n[decoder]\nwidth = 8\ndepth = 1\n"
LOSS = "[loss]\nsquared = 20.0\nlatent_noise = 0.15\n"
CONFIGS = {
    "autoencoder": f"[schedule]\n{PLAN}crop = 64\n{LOSS}lpips = 0.02\n{AUTOENCODER}",
    "feedforward": f"[schedule]\n{PLAN}crop = 64\n[loss]\nsquared = 20.0\n[generator]\nwidth = 8\ndepth = 1\n",
    "diffusion": f"[latent]\n{PLAN}crop = 256\n[distil]\n{PLAN}crop = 128\n[joint]\n{PLAN}crop = 32\n"
    f"{LOSS}lpips_at_0 = 0.05\nlpips_at_1 = 0.002\nlatent = 0.002\nanchor = 0.3\n"
    "haarpsi_at_0 = 0.0\nhaarpsi_at_1 = 0.05\n"
    "score_at_0 = 4.0\nscore_at_1 = 1.0\nsquared_at_0 = 10.0\nsquared_at_1 = 100.0\n"
    '[diffusion]\nbeta_schedule = "linear"\nnum_train_timesteps = 300\nrescale_betas_zero_snr = true\n'
    "beta_start = 1e-4\nbeta_end = 0.02\n"
    f"{AUTOENCODER}[encoder]\nwidth = 8\ndepth = 1\n[denoiser]\nwidths = [8, 8, 16]\n"
    "[regression]\nwidth = 8\ndepth = 1\n",
}
TRAININGS = {"autoencoder": train_autoencoder, "feedforward": train_feedforward, "diffusion": train_diffusion}
FIRES = {
    3: (64, 16, 64), 4: (128, 16, 64), 6: (128, 32, 128), 7: (256, 32, 128),
    9: (256, 48, 192), 10: (384, 48, 192), 11: (384, 64, 256), 12: (512, 64, 256),
}  # fmt: skip


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three training and two validation pictures, and LPIPS weights of the right names and shapes."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "nih").mkdir()
    (folder / "lpips").mkdir()
    rows = ["path,source,patient_id"]
    for split, count in (("train", 3), ("validation", 2)):
        for number, patient in zip(range(count), patients_of(split), strict=False):
            rows.append(f"nih/{split}-{number}.png,phantom,{patient}")
            write_png(folder / f"nih/{split}-{number}.png", chest_phantom(seed=len(rows)), text={})
    (folder / "MANIFEST.csv").write_text("\n".join(rows))
    write_lpips(folder / "lpips" / "lpips_squeeze_v0.1.safetensors")
    return folder


def write_lpips(path: Path) -> None:
    torch.manual_seed(0)
    layers = {0: nn.Conv2d(3, 64, 3), **{index: Fire(*sizes) for index, sizes in FIRES.items()}}
    weights = {f"features.{i}.{name}": v for i, layer in layers.items() for name, v in layer.state_dict().items()}
    for index, channels in enumerate((64, 128, 256, 384, 384, 512, 512)):
        weights[f"lin{index}.weight"] = torch.rand(1, channels, 1, 1)
    save_file(weights, path)


def trained(name: str, data_dir: Path, runs: Path, *, until: int | None = None, seed: int = 0) -> Path:
    """One training into runs/name."""
    runs.mkdir(exist_ok=True)
    config = runs / f"{name}.toml"
    config.write_text(CONFIGS[name].replace(PLAN, f"{PLAN}seed = {seed}\n"))
    TRAININGS[name](config, data_dir=data_dir, out=runs / name, until=until)
    return runs / name


def teachers(data_dir: Path, runs: Path) -> None:
    """What the diffusion model's training starts from."""
    for name in ("autoencoder", "feedforward"):
        trained(name, data_dir, runs)


@pytest.fixture(scope="module")
def runs(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all three trainings in it."""
    folder = tmp_path_factory.mktemp("runs")
    for name in TRAININGS:
        trained(name, data_dir, folder)
    return folder


def weights(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "weights.safetensors")


def part(tensors: dict[str, Tensor], network: str) -> dict[str, Tensor]:
    return {name: value for name, value in tensors.items() if name.startswith(f"{network}.")}


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("stage", "networks"),
    [
        ("autoencoder", {"hr_encoder", "decoder"}),
        ("feedforward", {"generator"}),
        ("diffusion/latent", {"encoder", "denoiser"}),
        ("diffusion/distil", {"encoder", "denoiser"}),
        ("diffusion/joint", {"encoder", "denoiser", "decoder"}),
    ],
)
def test_a_training_leaves_weights_and_figures(runs: Path, stage: str, networks: set[str]) -> None:
    tensors = weights(runs / stage)
    assert {name.partition(".")[0] for name in tensors} == networks
    assert all(bool(value.isfinite().all()) for value in tensors.values())
    lines = [json.loads(line) for line in (runs / stage / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4]
    if stage != "diffusion/latent":
        figures = {key: value for key, value in lines[-1].items() if key.startswith("validation_")}
        assert figures and all(abs(value) < 1000 for value in figures.values())


@pytest.mark.parametrize("stage", ["autoencoder", "feedforward", "diffusion/latent", "diffusion/joint"])
def test_every_weight_is_learnt(runs: Path, stage: str) -> None:
    _, tensors = read_checkpoint(runs / stage / "checkpoints" / "step-000004.safetensors")
    names = [name.removeprefix("weights.") for name in tensors if name.startswith("weights.")]
    moments = [value for name, value in tensors.items() if name.endswith(".exp_avg")]
    assert len(moments) == len(names)
    assert sum(bool(value.abs().max() > 0) for value in moments) >= len(moments) - 4  # a dead ReLU or two may be


def test_the_decoder_learns_in_the_last_stage_alone(runs: Path) -> None:
    before, after = (part(weights(runs / stage), "decoder") for stage in ("autoencoder", "diffusion/joint"))
    assert before.keys() == after.keys() and not equal(before, after)
    assert not part(weights(runs / "diffusion/distil"), "decoder")


def test_a_stage_starts_from_the_one_before(runs: Path) -> None:
    for before, after in (("latent", "distil"), ("distil", "joint")):
        old, new = (part(weights(runs / "diffusion" / stage), "denoiser") for stage in (before, after))
        moved = max(float((old[name] - new[name]).abs().max()) for name in old)
        assert 0 < moved < 4 * 1.5e-3  # four steps of AdamW, about 1e-3 each


@pytest.mark.parametrize("name", ["autoencoder", "feedforward"])
def test_a_training_resumes_exactly(data_dir: Path, runs: Path, tmp_path: Path, name: str) -> None:
    trained(name, data_dir, tmp_path, until=2)
    assert not equal(weights(tmp_path / name), weights(runs / name))
    trained(name, data_dir, tmp_path)
    assert equal(weights(tmp_path / name), weights(runs / name))


def test_first_weights_are_those_of_the_seed(data_dir: Path, runs: Path, tmp_path: Path) -> None:
    for seed in (0, 1):
        folder = trained("feedforward", data_dir, tmp_path / str(seed), seed=seed)
        assert equal(weights(folder), weights(runs / "feedforward")) == (seed == 0)


def test_the_regression_shows_panels(runs: Path) -> None:
    names = sorted(path.name for path in (runs / "feedforward" / "panels").iterdir())
    assert names == ["step-000002.png", "step-000004.png"]


def test_stages_resume_exactly(data_dir: Path, runs: Path, tmp_path: Path) -> None:
    teachers(data_dir, tmp_path)
    out = trained("diffusion", data_dir, tmp_path, until=2)
    assert sorted(path.name for path in out.iterdir() if path.is_dir()) == ["latent"]
    trained("diffusion", data_dir, tmp_path)
    assert equal(weights(out / "joint"), weights(runs / "diffusion" / "joint"))


def test_another_autoencoder_makes_other_latents(data_dir: Path, tmp_path: Path) -> None:
    teachers(data_dir, tmp_path)
    out = trained("diffusion", data_dir, tmp_path, until=1)
    before = load_file(out / "latents.safetensors")["latents"]
    shutil.rmtree(tmp_path / "autoencoder")
    trained("autoencoder", data_dir, tmp_path, seed=1)
    with pytest.raises(IntegrityError, match="another origin"):
        trained("diffusion", data_dir, tmp_path, until=1)
    after = load_file(out / "latents.safetensors")["latents"]
    assert before.shape == after.shape == (3, 4, 32, 32) and not torch.equal(before, after)


@pytest.mark.parametrize("name", ["autoencoder", "feedforward"])
def test_the_diffusion_wants_the_other_two_first(data_dir: Path, tmp_path: Path, name: str) -> None:
    trained("feedforward" if name == "autoencoder" else "autoencoder", data_dir, tmp_path)
    with pytest.raises(UsageError, match=rf"{name}/weights\.safetensors: no such file"):
        trained("diffusion", data_dir, tmp_path)
