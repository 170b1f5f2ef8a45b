"""The reference is what it claims to be; its time is measured elsewhere. Building and running it takes seconds."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sr.diffusion.samplers import sample, sampler_table
from edge_sr.diffusion.schedule import make_alphas_cumprod

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
published_chain = pytest.importorskip("benchmarks.peers.published_chain", reason="benchmarks are not in the wheel")


@pytest.fixture(scope="module")
def chain() -> object:
    return published_chain.build_chain(seed=0)


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_networks_have_the_published_sizes(chain) -> None:
    assert count(chain.autoencoder.encoder) == 34_163_592
    assert count(chain.autoencoder.decoder) == 49_490_179
    assert count(chain.denoiser) == 813_220


def test_a_picture_of_64_becomes_one_of_256_with_one_call_of_the_denoiser_a_step(chain) -> None:
    calls = []
    hook = chain.denoiser.register_forward_hook(lambda _, inputs, output: calls.append((inputs[1].shape, inputs[2])))
    lr = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    sr = published_chain.super_resolve(chain, lr, num_inference_steps=2)
    hook.remove()
    assert (sr.shape, sr.dtype) == ((256, 256), np.uint8)
    assert [(tuple(cond), timestep.tolist()) for cond, timestep in calls] == [
        ((1, 4, 32, 32), [299]),
        ((1, 4, 32, 32), [149]),
    ]
    assert len(np.unique(sr)) > 10  # a picture, though of nothing


def test_every_step_is_run_by_default() -> None:
    timesteps, coefficients = published_chain.step_coefficients(published_chain.NUM_TRAIN_TIMESTEPS)
    assert timesteps.tolist() == list(range(299, -1, -1))
    assert coefficients[-1, 2] == 0 and np.all(coefficients[:-1, 2] > 0)


def test_the_multiplied_out_step_is_the_sampler_s() -> None:
    abar = make_alphas_cumprod("linear", 300, rescale_betas_zero_snr=False)
    table = sampler_table("ddpm", abar, num_inference_steps=300, prediction_type="epsilon")
    rng = np.random.default_rng(0)
    start, draws = rng.normal(size=8), rng.normal(size=(300, 8))
    expected = sample(table, lambda z, t: np.tanh(z + t), start, noise_of_step=lambda step: draws[step])
    z = start
    for t, (keep, use, draw), fresh in zip(*published_chain.step_coefficients(300), draws, strict=True):
        z = keep * z + use * np.tanh(z + t) + draw * fresh
    np.testing.assert_allclose(z, expected, rtol=1e-9)


def test_ddim_takes_fewer_steps_and_draws_nothing() -> None:
    timesteps, coefficients = published_chain.step_coefficients(25, sampler="ddim")
    assert len(timesteps) == 25
    assert not coefficients[:, 2].any()


def test_the_same_seed_builds_the_same_chain(chain) -> None:
    before = torch.get_rng_state()
    again = published_chain.build_chain(seed=0)
    assert torch.equal(again.denoiser.out.weight, chain.denoiser.out.weight)
    assert torch.equal(torch.get_rng_state(), before)
