"""The published autoencoder: its size, its checkpoints, and its place behind the ports of a bundle."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from edge_sr.errors import EnvironmentFault, IntegrityError, UsageError
from edge_sr.image.bicubic import upsample_bicubic
from host_training.loop.checkpoints import fingerprint
from host_training.nets.kl_autoencoder import (
    WEIGHTS,
    KLAutoencoder,
    KLDecoder,
    KLEncoderOfHR,
    KLEncoderOfLR,
    load_autoencoder,
    new_autoencoder,
)

HR, LR = torch.rand(2, 1, 256, 256), torch.rand(2, 1, 64, 64)

# config.json of stabilityai/sd-vae-ft-mse, but for its widths; it was written by diffusers 0.4
PUBLISHED_KEYS = {
    "_class_name": "AutoencoderKL",
    "_diffusers_version": "0.4.2",
    "act_fn": "silu",
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "in_channels": 3,
    "latent_channels": 4,
    "out_channels": 3,
    "sample_size": 256,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}
ATTENTION_OF_THEN = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


@pytest.fixture
def tiny(checkpoint: Path) -> KLAutoencoder:
    return load_autoencoder(checkpoint)


@pytest.fixture
def copy(checkpoint: Path, tmp_path: Path) -> Path:
    """A checkpoint to be spoilt."""
    return Path(shutil.copytree(checkpoint, tmp_path / "copy"))


def configure(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def test_the_published_architecture_has_the_published_size() -> None:
    with torch.device("meta"):
        net = new_autoencoder("published")
    coders = [sum(p.numel() for p in part.parameters()) for part in (net.encoder, net.decoder)]
    assert coders == [34_163_592, 49_490_179]
    assert net.config["scaling_factor"] == 0.18215


def test_random_weights_are_a_function_of_the_seed() -> None:
    one, same, other = (fingerprint(new_autoencoder("tiny", seed=seed).state_dict()) for seed in (1, 1, 2))
    assert one == same != other
    with pytest.raises(UsageError, match="no such architecture: huge; expected published, small, tiny"):
        new_autoencoder("huge")


def test_a_checkpoint_loads_by_its_path(checkpoint: Path, tiny: KLAutoencoder) -> None:
    assert fingerprint(tiny.net.state_dict()) == fingerprint(new_autoencoder("tiny").state_dict())
    assert {file.name for file in checkpoint.iterdir()} == {"config.json", WEIGHTS}


def test_a_checkpoint_as_old_as_the_published_one_loads(copy: Path, tiny: KLAutoencoder) -> None:
    tensors = load_file(copy / WEIGHTS)
    for now, then in ATTENTION_OF_THEN.items():
        tensors = {name.replace(f"attentions.0.{now}", f"attentions.0.{then}"): v for name, v in tensors.items()}
    save_file(tensors, copy / WEIGHTS)
    sizes = {"block_out_channels": [4, 4, 8, 8], "layers_per_block": 1, "norm_num_groups": 4}
    (copy / "config.json").write_text(json.dumps(PUBLISHED_KEYS | sizes))
    old = load_autoencoder(copy)
    assert fingerprint(old.state_dict()) == fingerprint(tiny.state_dict())
    assert old.scaling_factor == 0.18215  # not in that file: diffusers' default is the published one


def test_the_scaling_factor_is_the_checkpoints(copy: Path, tiny: KLAutoencoder) -> None:
    configure(copy, scaling_factor=0.5)
    torch.testing.assert_close(load_autoencoder(copy).encode(HR), tiny.encode(HR) * (0.5 / 0.18215))


def test_latents_are_the_mode_of_the_posterior_and_no_sample(tiny: KLAutoencoder) -> None:
    posterior = tiny.net.encode((2 * HR - 1).expand(-1, 3, -1, -1)).latent_dist
    assert float(posterior.std.min()) > 0.1  # a sample would be far from the mode
    torch.manual_seed(0)
    first = KLEncoderOfHR(tiny)(HR)
    torch.manual_seed(1)
    assert torch.equal(KLEncoderOfHR(tiny)(HR), first)
    torch.testing.assert_close(first, posterior.mean * 0.18215)


def test_lr_is_encoded_at_the_size_of_hr(tiny: KLAutoencoder) -> None:
    cond, latents = KLEncoderOfLR(tiny)(LR), KLEncoderOfHR(tiny)(HR)
    assert cond.shape == latents.shape == (2, 4, 32, 32)
    assert tiny.encode(LR).shape == (2, 4, 8, 8)  # LR at its own size does not stand beside them
    upsampled = torch.from_numpy(upsample_bicubic(LR.numpy()))
    torch.testing.assert_close(cond, KLEncoderOfHR(tiny)(upsampled), atol=1e-4, rtol=0)


def test_the_decoder_gives_one_channel_within_range(tiny: KLAutoencoder) -> None:
    latents = torch.randn(2, 4, 32, 32)
    sr = KLDecoder(tiny)(latents * 5, LR)
    assert sr.shape == (2, 1, 256, 256) and sr.min() >= 0 and sr.max() <= 1
    colours = tiny.net.decode(latents / 0.18215).sample
    expected = (colours.mean(1, keepdim=True) / 2 + 0.5).clamp(0, 1)
    torch.testing.assert_close(KLDecoder(tiny)(latents, LR), expected)


def test_nothing_in_it_is_trained(tiny: KLAutoencoder) -> None:
    assert not tiny.training and not any(value.requires_grad for value in tiny.parameters())


def shrink(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-1000])


def lose_a_weight(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    del tensors["decoder.conv_in.bias"]
    save_file(tensors, folder / WEIGHTS)


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), UsageError, "no config.json here; expected a folder with"),
        (lambda folder: (folder / WEIGHTS).rename(folder / "diffusion_pytorch_model.bin"), UsageError, f"no {WEIGHTS}"),
        (lambda folder: (folder / "config.json").write_text("{"), IntegrityError, "cannot be read"),
        (shrink, IntegrityError, "cannot be read"),
        (lose_a_weight, IntegrityError, "1 weights are missing, decoder.conv_in.bias among them"),
        (lambda folder: configure(folder, layers_per_block=2), IntegrityError, "weights are missing"),
        (lambda folder: configure(folder, latent_channels=16), IntegrityError, "cannot be read"),
    ],
)
def test_a_spoilt_checkpoint_is_refused(
    copy: Path, spoil: Callable[[Path], object], error: type[Exception], message: str
) -> None:
    spoil(copy)
    with pytest.raises(error, match=message):
        load_autoencoder(copy)


def test_another_kind_of_autoencoder_is_refused(tmp_path: Path) -> None:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    AutoencoderKL(latent_channels=8, norm_num_groups=4, block_out_channels=(4,)).save_pretrained(tmp_path)
    with pytest.raises(
        UsageError, match=r"3 channels in, 3 out, 8 in the latents, 1/1 of the side; expected 3, 3, 4, 1/8"
    ):
        load_autoencoder(tmp_path)


def test_what_cannot_be_had_says_what_to_do_without_it() -> None:
    with pytest.raises(
        EnvironmentFault, match=r"(?s)stabilityai/none: the hub did not give it.*try: edge-sr-host train"
    ):
        load_autoencoder("stabilityai/none")
    with pytest.raises(UsageError, match=r"(?s)runs/kl/diffusers: no such folder.*try: edge-sr-host train"):
        load_autoencoder("runs/kl/diffusers")


def test_pictures_survive_the_way_there_and_back_where_the_weights_allow(tiny: KLAutoencoder) -> None:
    """With random weights nothing can be said of the picture, but that different ones stay different."""
    pictures = np.stack([np.zeros((1, 64, 64), np.float32), np.ones((1, 64, 64), np.float32)])
    dark, bright = tiny.decode(tiny.encode(torch.from_numpy(pictures)))
    assert not torch.equal(dark, bright)
