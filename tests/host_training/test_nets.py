"""The networks: sizes as published and as documented, and the parts that have a reference in edge_sr."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from edge_sr.diffusion.samplers import sample
from edge_sr.image.bicubic import upsample_bicubic
from edge_sr.image.consistency import project as project_reference
from host_training.loop import CONFIGS, read_config
from host_training.nets.autoencoder import Decoder, HREncoder
from host_training.nets.blocks import BicubicPhases, project
from host_training.nets.edge_model import EdgeModel
from host_training.nets.feedforward import FeedForward
from host_training.nets.lr_encoder import LREncoder
from host_training.nets.unet_lite import TimedBlock, UNetLite, sinusoidal_embedding


@pytest.fixture(autouse=True)
def same_weights() -> None:
    torch.manual_seed(0)


def parameters(net: nn.Module) -> int:
    return sum(value.numel() for value in net.parameters())


def macs(net: nn.Module, *feeds: torch.Tensor) -> float:
    """Multiply-accumulates of the convolutions in one call, in G."""
    total = 0

    def count(layer: nn.Module, feed: tuple[torch.Tensor], out: torch.Tensor) -> None:
        nonlocal total  # each position of the kernel's side is multiplied with the whole kernel
        positions = feed[0] if isinstance(layer, nn.ConvTranspose2d) else out
        total += positions[:, 0].numel() * layer.weight.numel()

    hooks = [m.register_forward_hook(count) for m in net.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))]
    with torch.no_grad():
        net(*feeds)
    for hook in hooks:
        hook.remove()
    return total / 1e9


def test_unet_lite_is_the_published_one() -> None:
    net = UNetLite()
    assert parameters(net) == 813_220
    time = sum(parameters(m) for m in (net.time_mlp, *(b.time for b in net.modules() if isinstance(b, TimedBlock))))
    assert time == 345_152  # vanishes in the composed graph
    feeds = torch.zeros(1, 4, 32, 32), torch.zeros(1, 4, 32, 32), torch.tensor([0])
    assert macs(net, *feeds) == pytest.approx(0.101, abs=0.001)


@pytest.mark.parametrize("after_relu", [True, False])
def test_time_joins_before_or_after_the_relu(after_relu: bool) -> None:
    block = TimedBlock(1, 2, time_after_relu=after_relu)
    with torch.no_grad():
        block.conv1.weight.zero_(), block.conv1.bias.fill_(-1)
        block.time.weight.zero_(), block.time.bias.fill_(0.5)
        block.conv2.weight.zero_(), block.conv2.bias.zero_()
        block.conv2.weight[:, 0, 1, 1] = 1
    value = block(torch.zeros(1, 1, 2, 2), torch.zeros(1, 256))
    assert value.unique().tolist() == [0.5 if after_relu else 0.0]


def test_one_timestep_serves_a_whole_batch() -> None:
    net, z, cond = UNetLite(), torch.randn(3, 4, 8, 8), torch.randn(3, 4, 8, 8)
    torch.testing.assert_close(net(z, cond, torch.tensor([7])), net(z, cond, torch.tensor([7, 7, 7])))
    assert not torch.allclose(net(z, cond, torch.tensor([7])), net(z, cond, torch.tensor([250])))


def test_the_time_embedding_is_sines_and_cosines() -> None:
    embedding = sinusoidal_embedding(torch.tensor([0, 299]))
    assert embedding.shape == (2, 256) and embedding.dtype == torch.float32
    assert embedding[0].tolist() == [0.0] * 128 + [1.0] * 128
    expected = [np.sin(299), np.sin(299e-4), np.cos(299), np.cos(299e-4)]
    np.testing.assert_allclose(embedding[1, [0, 127, 128, 255]], expected, atol=1e-5)


def test_the_edge_model_fits_its_budget() -> None:
    settings = read_config(CONFIGS / "diffusion.toml")
    nets = EdgeModel(settings)
    assert settings["denoiser"]["widths"] == [64, 96, 128] and nets.denoiser.down1.conv1.in_channels == 68
    lr, latents = torch.zeros(1, 1, 64, 64), torch.zeros(1, 4, 32, 32)
    decoder, encoder = macs(nets.decoder, latents, lr), macs(nets.encoder, lr)
    denoiser = macs(nets.denoiser, latents, nets.encoder(lr), torch.tensor([0]))
    assert decoder <= 1.5 and encoder <= 0.3 and denoiser <= 0.35
    everything = (nets.encoder, nets.denoiser, nets.decoder)
    assert sum(map(parameters, everything)) * 4 <= 8e6  # bytes; a bundle holds them twice in at most 16 MB


def test_the_encoder_sees_what_lr_lacks() -> None:
    encoder, hr = HREncoder(8), torch.rand(2, 1, 64, 64)
    brighter = hr + torch.rand(2, 1, 16, 16).repeat_interleave(4, 2).repeat_interleave(4, 3)
    assert encoder(hr).shape == (2, 4, 8, 8)
    torch.testing.assert_close(encoder(brighter), encoder(hr), atol=1e-4, rtol=0)
    assert not torch.allclose(encoder(hr.roll(1, 3)), encoder(hr), atol=1e-2)


def test_the_decoder_reads_latents_and_lr() -> None:
    decoder, latents, lr = Decoder(8, 1), torch.randn(2, 4, 8, 8), torch.rand(2, 1, 16, 16)
    sr = decoder(latents, lr)
    assert sr.shape == (2, 1, 64, 64) and sr.dtype == torch.float32
    assert not torch.equal(decoder(latents + 1, lr), sr) and not torch.equal(decoder(latents, lr.flip(3)), sr)


@pytest.mark.parametrize("net", [LREncoder(8, 1), FeedForward(8, 1)], ids=lambda net: type(net).__name__)
def test_output_sizes(net: nn.Module) -> None:
    wanted = {"LREncoder": (2, 8, 8, 8), "FeedForward": (2, 1, 64, 64)}[type(net).__name__]
    assert net(torch.rand(2, 1, 16, 16)).shape == wanted


def test_the_skip_is_opencvs_bicubic() -> None:
    lr = torch.rand(2, 1, 16, 20) * 0.5 + 0.25  # the reference clips
    skip = nn.functional.pixel_shuffle(BicubicPhases()(lr), 4)
    np.testing.assert_allclose(skip.numpy(), upsample_bicubic(lr.numpy()), atol=1e-5)


def test_the_skip_stays_float32_under_autocast() -> None:
    lr = torch.rand(1, 1, 16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low, sr = BicubicPhases()(lr), Decoder(8, 1)(torch.zeros(1, 4, 8, 8), lr)
    assert low.dtype == sr.dtype == torch.float32
    assert torch.equal(low, BicubicPhases()(lr))


def test_no_kernel_enters_the_weights() -> None:
    assert not [name for name in Decoder(8, 1).state_dict() if "kernel" in name]


def test_the_projection_is_the_first_round() -> None:
    sr, lr = torch.rand(2, 1, 32, 32) * 2 - 0.5, torch.rand(2, 1, 8, 8)
    expected = project_reference(sr.numpy(), lr.numpy(), rounds=1)
    np.testing.assert_allclose(project(sr, lr).numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_training_unrolls_what_the_device_samples(steps: int) -> None:
    nets = EdgeModel(read_config(CONFIGS / "diffusion.toml"))
    noise, cond = torch.randn(1, 4, 8, 8), torch.randn(1, 64, 8, 8)

    def denoise(z: np.ndarray, t: int) -> np.ndarray:
        return nets.denoiser(torch.from_numpy(z), cond, torch.tensor([t])).numpy()

    with torch.no_grad():
        expected = sample(nets.table(steps), denoise, noise.numpy())
        np.testing.assert_allclose(nets.unroll(noise, cond, nets.table(steps)).numpy(), expected, atol=1e-5)
