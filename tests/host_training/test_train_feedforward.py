"""Trainings of feed-forward generators for a few steps: natural pictures in colour, terms of the loss, BatchNorm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from edge_sr.errors import UsageError
from host_training.loop import CONFIGS, load_weights, read_checkpoint, read_config
from host_training.nets.generators import make_generator
from host_training.train_feedforward import train_feedforward
from tests.host_training.natural_folders import write_div2k, write_scene

FEW = {"steps": 4, "batch": 2, "crop": 64, "warmup": 1, "checkpoint_every": 2, "precision": "fp32"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_div2k(tmp_path / "div2k")


def settings(name: str = "espcn", **schedule: object) -> dict[str, Any]:
    """A shipped configuration, shortened."""
    found = read_config(CONFIGS / f"{name}.toml")
    return {**found, "schedule": {**found["schedule"], **FEW, **schedule}}


def trained(config: dict[str, Any], folder: Path, out: Path, *, until: int | None = None) -> dict[str, torch.Tensor]:
    train_feedforward(config, data_dir=folder, out=out, until=until)
    return load_file(out / "weights.safetensors")


def lines(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def test_espcn_trains_as_configured(folder: Path, tmp_path: Path) -> None:
    weights = trained(settings(), folder, tmp_path / "runs/espcn")
    assert {name.partition(".")[0] for name in weights} == {"generator"}
    assert all(bool(value.isfinite().all()) for value in weights.values())
    figures = [line for line in lines(tmp_path / "runs/espcn") if "validation_psnr" in line]
    assert [line["step"] for line in figures] == [2, 4] and all(0 < line["validation_haarpsi"] < 1 for line in figures)
    assert len(list((tmp_path / "runs/espcn/panels").iterdir())) == 2


def test_it_learns(tmp_path: Path) -> None:
    """What it was shown, that is, and better than bicubic interpolation, which it begins as."""
    for name in ("DIV2K_train_HR", "DIV2K_valid_HR"):
        write_scene(tmp_path / name / "1.png", seed=1)
    config = settings(steps=200, checkpoint_every=100)
    trained(config, tmp_path, tmp_path / "runs/espcn", until=1)
    trained(config, tmp_path, tmp_path / "runs/espcn")
    before, *_, after = [line["validation_psnr"] for line in lines(tmp_path / "runs/espcn") if "loss" not in line]
    assert after > before + 0.5


def test_it_resumes_exactly(folder: Path, tmp_path: Path) -> None:
    whole = trained(settings(), folder, tmp_path / "whole/espcn")
    trained(settings(), folder, tmp_path / "parts/espcn", until=2)
    parts = trained(settings(), folder, tmp_path / "parts/espcn")
    assert whole.keys() == parts.keys() and all(torch.equal(whole[name], parts[name]) for name in whole)


def test_validation_leaves_batchnorm_alone(folder: Path, tmp_path: Path) -> None:
    """What it gathers is a function of the training alone, however often one looks."""
    often = trained(settings(checkpoint_every=1), folder, tmp_path / "often/espcn")
    seldom = trained(settings(checkpoint_every=4), folder, tmp_path / "seldom/espcn")
    assert any("running_mean" in name for name in often)
    assert all(torch.equal(often[name], seldom[name]) for name in often)
    assert int(often["generator.norm1.num_batches_tracked"]) == 4


def test_without_averaging_the_weights_are_the_last_ones(folder: Path, tmp_path: Path) -> None:
    weights = trained(settings(), folder, tmp_path / "runs/espcn")
    _, tensors = read_checkpoint(tmp_path / "runs/espcn/checkpoints/step-000004.safetensors")
    assert read_config(CONFIGS / "espcn.toml")["schedule"]["ema"] == 0
    assert all(torch.equal(value, tensors[f"weights.{name}"]) for name, value in weights.items())


def test_its_weights_load_and_fold(folder: Path, tmp_path: Path) -> None:
    trained(settings(), folder, tmp_path / "runs/espcn")
    net = make_generator(settings()["generator"]).eval()
    load_weights(tmp_path / "runs/espcn/weights.safetensors", generator=net)
    lr = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(net.folded()(lr), net(lr), atol=2e-6, rtol=0)  # type: ignore[operator]


@pytest.mark.parametrize("name", ["windows", "squared", "absolute", "haarpsi"])
def test_every_term_is_recorded_and_learnt_from(folder: Path, tmp_path: Path, name: str) -> None:
    config = settings(log_every=1)
    config["loss"] = {"windows": 0.0, name: 2.0}
    trained(config, folder, tmp_path / "runs/espcn")
    logged = [line for line in lines(tmp_path / "runs/espcn") if "loss" in line]
    assert len(logged) == 4 and all(line["gradient_norm"] > 0 for line in logged)
    assert all(line["loss"] == pytest.approx(2 * line[name], rel=1e-5) for line in logged)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"loss": {"windows": 0.0}}, "nothing to minimise"),
        ({"loss": {"sqaured": 1.0}}, "no such key: sqaured"),
        ({"generator": {"net": "espn"}}, "no such net"),
        ({"date": {}}, r"no such table: \[date\]"),
    ],
)
def test_a_slip_of_the_pen_is_told_before_anything_is_read(tmp_path: Path, table: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        trained({**settings(), **table}, tmp_path / "nowhere", tmp_path / "runs/espcn")


def test_the_published_settings_of_espcn() -> None:
    config = read_config(CONFIGS / "espcn.toml")
    plan = config["schedule"]
    epoch = 800 * 20 / plan["batch"]  # DIV2K, 20 patches of each picture
    assert (plan["crop"], plan["batch"], plan["learning_rate"], plan["weight_decay"]) == (160, 16, 1e-3, 0)
    assert (plan["steps"], plan["checkpoint_every"], plan["patience"]) == (50 * epoch, epoch, 10)
    assert config["loss"] == {"windows": 0.0, "squared": 1.0} and config["data"]["degradation"] == "bicubic"
