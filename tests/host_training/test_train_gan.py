"""The training against a discriminator, for a few steps: phantoms, thin networks, LPIPS with random weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from edge_sr.errors import EdgeSRError, IntegrityError, UsageError
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.png import write_png
from host_training.loop import CONFIGS, read_config, write_tensors
from host_training.loop.record import Record
from host_training.nets.rrdb import Rrdb
from host_training.nets.unet_discriminator import UNetDiscriminator
from host_training.train_gan import GanLoss, steeper, train_gan
from tests.host_training.evaluation.toy_data import patients_of
from tests.host_training.test_trainings import write_lpips

SHIPPED = ("rrdb", "rrdb-gan", "compact", "compact-gan", "retina-x2", "espcn-gan")
SETTINGS: Mapping[str, Any] = {
    "schedule": {
        "steps": 4,
        "batch": 2,
        "crop": 32,
        "learning_rate": 1e-3,
        "warmup": 0,
        "checkpoint_every": 2,
        "log_every": 1,
        "precision": "fp32",
    },
    "data": {"degradation": "high-order"},
    "loss": {"absolute": 1.0, "perceptual": 0.1, "adversarial": 0.1},
    "generator": {"net": "rrdb", "channels": 1, "width": 4, "growth": 2, "blocks": 1},
    "discriminator": {"width": 4},
}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two training and two validation radiographs, and as many pictures in colour."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("nih", "lpips", "DIV2K_train_HR", "DIV2K_valid_HR"):
        (folder / name).mkdir()
    rows = ["path,source,patient_id"]
    for split, natural in (("train", "DIV2K_train_HR"), ("validation", "DIV2K_valid_HR")):
        for number, patient in zip(range(2), patients_of(split), strict=False):
            rows.append(f"nih/{split}-{number}.png,phantom,{patient}")
            grey = chest_phantom(seed=len(rows))
            write_png(folder / f"nih/{split}-{number}.png", grey, text={})
            write_png(folder / natural / f"{number}.png", np.stack([grey, grey // 2, 255 - grey], -1), text={})
    (folder / "MANIFEST.csv").write_text("\n".join(rows))
    write_lpips(folder / "lpips" / "lpips_squeeze_v0.1.safetensors")
    return folder


def changed(**tables: Mapping[str, object]) -> dict[str, Any]:
    """The settings above with other values in some tables."""
    settings = copy.deepcopy(dict(SETTINGS))
    for name, table in tables.items():
        settings[name] = {**settings[name], **table}
    return settings


def trained(data_dir: Path, out: Path, settings: dict[str, Any] | None = None, **options: Any) -> Path:
    train_gan(settings or changed(), data_dir=data_dir, out=out, **options)
    return out


def test_generator_and_discriminator_both_learn(data_dir: Path, tmp_path: Path) -> None:
    folder = trained(data_dir, tmp_path / "gan")
    torch.manual_seed(0)
    first = Rrdb(1, width=4, growth=2, blocks=1), UNetDiscriminator(1, width=4)
    for name, net, file in zip(("generator", "discriminator"), first, ("weights", "opponent"), strict=True):
        last = load_file(folder / f"{file}.safetensors")
        moved = [not torch.equal(last[f"{name}.{key}"], value) for key, value in net.named_parameters()]
        assert all(moved)


def test_the_record_tells_each_part_of_both_losses(data_dir: Path, tmp_path: Path) -> None:
    first, *_, last = Record(trained(data_dir, tmp_path / "gan")).lines()
    expected = {"loss", "absolute", "perceptual", "adversarial", "opponent_loss", "opponent_real", "opponent_made"}
    assert expected <= set(first)
    loss = first["absolute"] + 0.1 * first["perceptual"] + 0.1 * first["adversarial"]
    assert first["loss"] == pytest.approx(loss)
    assert {"validation_psnr", "validation_haarpsi", "validation_lpips"} <= set(last)


def test_a_training_in_two_halves_is_the_whole_bit_for_bit(data_dir: Path, tmp_path: Path) -> None:
    whole = trained(data_dir, tmp_path / "whole")
    for until in (2, None):
        halves = trained(data_dir, tmp_path / "halves", until=until)
    for file in ("weights", "opponent", "checkpoints/step-000004"):
        one, other = (load_file(folder / f"{file}.safetensors") for folder in (whole, halves))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_batch_in_parts_is_the_batch(data_dir: Path, tmp_path: Path) -> None:
    whole = trained(data_dir, tmp_path / "whole", until=1)
    parts = trained(data_dir, tmp_path / "parts", changed(schedule={"accumulate": 2}), until=1)
    one, other = (load_file(folder / "weights.safetensors") for folder in (whole, parts))
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, atol=2e-4, rtol=0)


def test_without_a_weight_there_is_no_discriminator(data_dir: Path, tmp_path: Path) -> None:
    folder = trained(data_dir, tmp_path / "esrnet", changed(loss={"adversarial": 0.0, "perceptual": 0.0}))
    assert not (folder / "opponent.safetensors").exists()
    assert not any(name.startswith("opponent") for name in load_file(folder / "checkpoints/step-000004.safetensors"))


def test_a_checkpoint_with_a_discriminator_is_no_other_trainings(data_dir: Path, tmp_path: Path) -> None:
    trained(data_dir, tmp_path / "gan", until=2)
    with pytest.raises(IntegrityError, match="this checkpoint holds other networks"):
        trained(data_dir, tmp_path / "gan", changed(loss={"adversarial": 0.0}))


def test_the_second_stage_begins_with_the_first_ones_weights(data_dir: Path, tmp_path: Path) -> None:
    stage = trained(data_dir, tmp_path / "esrnet", changed(loss={"adversarial": 0.0}))
    begun, slow = stage / "weights.safetensors", changed(schedule={"learning_rate": 1e-12, "steps": 1})
    second = trained(data_dir, tmp_path / "gan", slow, start=begun)
    for name, value in load_file(second / "weights.safetensors").items():
        torch.testing.assert_close(value, load_file(begun)[name])


def test_the_discriminator_begins_with_given_weights(data_dir: Path, tmp_path: Path) -> None:
    net = UNetDiscriminator(1, width=4)
    tensors = {f"discriminator.{name}": value for name, value in net.state_dict().items()}
    write_tensors(tmp_path / "d.safetensors", tensors)
    slow = changed(schedule={"learning_rate": 1e-12, "steps": 1})
    folder = trained(data_dir, tmp_path / "gan", slow, start_discriminator=tmp_path / "d.safetensors")
    last = load_file(folder / "opponent.safetensors")
    for name, value in net.named_parameters():
        torch.testing.assert_close(last[f"discriminator.{name}"], value)


def test_another_start_is_another_training(data_dir: Path, tmp_path: Path) -> None:
    stage = trained(data_dir, tmp_path / "esrnet", changed(loss={"adversarial": 0.0}), until=2)
    trained(data_dir, tmp_path / "gan", until=2)
    with pytest.raises(IntegrityError, match="another origin"):
        trained(data_dir, tmp_path / "gan", start=stage / "weights.safetensors")


def test_weights_that_do_not_fit_are_told_by_name(data_dir: Path, tmp_path: Path) -> None:
    save_file(
        {f"generator.{k}": v for k, v in Rrdb(3, width=4, growth=2, blocks=1).state_dict().items()}, tmp_path / "x"
    )
    with pytest.raises(IntegrityError, match=r"conv_first.weight is \[4, 3, 3, 3\], not \[4, 1, 3, 3\]"):
        trained(data_dir, tmp_path / "gan", start=tmp_path / "x")
    with pytest.raises(IntegrityError, match="holds no discriminator"):
        trained(data_dir, tmp_path / "gan", start_discriminator=tmp_path / "x")


def test_a_start_that_is_no_safetensors_file_is_refused(data_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        trained(data_dir, tmp_path / "gan", start=tmp_path / "none.safetensors")
    (tmp_path / "x.pth").touch()
    with pytest.raises(UsageError, match=r"try: edge-sr-host convert-weights .*x\.pth"):
        trained(data_dir, tmp_path / "gan", start=tmp_path / "x.pth")


REFUSED = {
    "no such key: advesarial": {"loss": {"advesarial": 1.0}},
    "perceptual_net = 'alex'; expected lpips or vgg19": {"loss": {"perceptual_net": "alex"}},
    "crop = 36; expected a multiple of 8": {"schedule": {"crop": 36}},
    "EDGE_SR_VGG19: the perceptual loss vgg19 needs": {"loss": {"perceptual_net": "vgg19"}},
}


@pytest.mark.parametrize("message", list(REFUSED))
def test_what_cannot_be_is_refused(
    data_dir: Path, tmp_path: Path, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDGE_SR_VGG19", raising=False)
    with pytest.raises(EdgeSRError, match=message):
        trained(data_dir, tmp_path / "gan", changed(**REFUSED[message]))


def thin(settings: dict[str, Any]) -> dict[str, Any]:
    """A shipped configuration as a test can afford it."""
    settings["schedule"] |= {**SETTINGS["schedule"], "steps": 2}
    small = {"rrdb": {"width": 4, "growth": 2, "blocks": 1}, "compact": {"width": 4, "depth": 1}, "espcn": {}}
    settings["generator"] |= small[settings["generator"]["net"]]
    if settings["loss"].get("adversarial"):
        settings["discriminator"] = {"width": 4}
    return settings


@pytest.mark.parametrize("sharpen", [False, True])
@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_configuration_trains(data_dir: Path, tmp_path: Path, name: str, sharpen: bool) -> None:
    settings = thin(read_config(CONFIGS / f"{name}.toml"))
    settings["data"]["sharpen"] = sharpen
    folder = trained(data_dir, tmp_path / name, settings)
    assert all(bool(value.isfinite().all()) for value in load_file(folder / "weights.safetensors").values())


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_configurations_are_the_published_networks_or_smaller(name: str) -> None:
    settings = read_config(CONFIGS / f"{name}.toml")
    assert settings.get("discriminator", {"width": 64}) == {"width": 64}
    assert not {"width", "blocks", "depth"} & set(settings["generator"])
    assert GanLoss(**settings["loss"]).absolute + GanLoss(**settings["loss"]).squared == 1.0


def test_the_sharpened_truth_is_that_of_each_picture() -> None:
    for channels in (1, 3):
        steps = torch.zeros(2, channels, 64, 64)
        steps[0, :, :, 32:] = 200 / 255
        steep = steeper(steps)
        assert steep.shape == steps.shape
        assert torch.equal(steep[1], steps[1])  # nothing to sharpen
        assert steep[0, 0, 32, 33] > steps[0, 0, 32, 33] and steep[0, 0, 32, 30] == 0
