from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sr.artifacts.bundle import Bundle
from edge_sr.backends.base import FakeSession
from edge_sr.diffusion.samplers import SAMPLERS
from edge_sr.errors import UsageError
from edge_sr.image.consistency import area_mean
from edge_sr.models.latent_diffusion import LatentDiffusion
from edge_sr.tensors import Tensors

LR = np.random.default_rng(0).uniform(0.2, 0.8, (2, 1, 64, 64)).astype(np.float32)
NOISE = np.random.default_rng(1).standard_normal((2, 4, 32, 32)).astype(np.float32)


class RecordingBackend:
    """Networks in numpy by role; keeps what each was fed."""

    name, version = "fake", "1"

    def __init__(self, bundle: Bundle) -> None:
        self.specs = bundle.manifest.networks
        self.feeds: list[tuple[str, Tensors]] = []
        self.sessions: dict[str, FakeSession] = {}

    def open(self, artifact: Path) -> FakeSession:
        role = artifact.stem
        assert role not in self.sessions, "opened twice"

        def function(feeds: Tensors) -> Tensors:
            self.feeds.append((role, feeds))
            batch = len(next(iter(feeds.values())))
            return {spec.name: np.full((batch, *spec.shape[1:]), 0.5, np.float32) for spec in self.specs[role].outputs}

        self.sessions[role] = FakeSession(self.specs[role].inputs, self.specs[role].outputs, function)
        return self.sessions[role]


@pytest.fixture
def backend(fake: Bundle) -> RecordingBackend:
    return RecordingBackend(fake)


def test_defaults_run_the_composed_graph_alone(fake: Bundle, backend: RecordingBackend) -> None:
    sr = LatentDiffusion(fake, backend)(LR, noise=NOISE, fidelity=0.0)
    assert sr.shape == (2, 1, 256, 256)
    assert [role for role, _ in backend.feeds] == ["upscale"]


@pytest.mark.parametrize("fidelity", [0.0, 0.25, 1.0])
def test_noise_is_scaled_by_one_minus_fidelity(fake: Bundle, backend: RecordingBackend, fidelity: float) -> None:
    LatentDiffusion(fake, backend)(LR, noise=NOISE, fidelity=fidelity)
    np.testing.assert_allclose(backend.feeds[0][1]["noise"], NOISE * (1 - fidelity), rtol=1e-6)


def test_no_noise_stands_for_zeros_at_any_fidelity(fake: Bundle, backend: RecordingBackend) -> None:
    LatentDiffusion(fake, backend)(LR, noise=None, fidelity=0.0)
    assert backend.feeds[0][1]["noise"].shape == NOISE.shape
    assert not backend.feeds[0][1]["noise"].any()


def test_other_steps_run_the_chain_and_the_encoder_once(fake: Bundle, backend: RecordingBackend) -> None:
    LatentDiffusion(fake, backend, steps=3)(LR, noise=NOISE, fidelity=0.0)
    assert [role for role, _ in backend.feeds] == ["encoder", *["denoiser"] * 3, "decoder"]
    assert [int(feeds["timestep"][0]) for role, feeds in backend.feeds if role == "denoiser"] == [299, 199, 99]


def test_ddpm_draws_scaled_noise_between_its_steps(fake: Bundle, backend: RecordingBackend) -> None:
    asked: list[int] = []
    model = LatentDiffusion(fake, backend, sampler="ddpm", steps=4)
    for fresh in (0 * NOISE, NOISE):
        model(LR, noise=NOISE, fidelity=0.5, noise_of_step=lambda k, fresh=fresh: asked.append(k) or fresh)
    assert asked == [0, 1, 2] * 2  # the last step adds none
    second = [feeds["latents"] for role, feeds in backend.feeds if role == "denoiser"][1::4]
    added = second[1] - second[0]
    assert np.corrcoef(added.ravel(), NOISE.ravel())[0, 1] > 0.9999
    assert 0 < added.std() < 0.5  # n of the table is below 1, and half of it is left at this fidelity


def test_ddpm_at_full_fidelity_asks_for_no_noise(fake: Bundle, backend: RecordingBackend) -> None:
    model = LatentDiffusion(fake, backend, sampler="ddpm", steps=2)
    model(LR, noise=NOISE, fidelity=1.0, noise_of_step=lambda step: pytest.fail("drew noise"))


@pytest.mark.parametrize("steps", [1, 2])
def test_the_result_is_written_where_the_caller_says(fake: Bundle, backend: RecordingBackend, steps: int) -> None:
    model, out = LatentDiffusion(fake, backend, steps=steps), np.zeros((2, 1, 256, 256), np.float32)
    assert model(LR, noise=NOISE, fidelity=0.0, out=out) is out and out.all()
    again = model(LR, noise=NOISE, fidelity=0.0)
    assert not np.shares_memory(again, out)


def test_times_add_up_over_the_networks_of_one_call(fake: Bundle, backend: RecordingBackend) -> None:
    model = LatentDiffusion(fake, backend, steps=3)
    model.open()
    for number, role in enumerate(("encoder", "denoiser", "decoder")):
        backend.sessions[role].times = {"compute": 10.0**number, "copy_in": 0.5}
    for _ in range(2):
        model(LR, noise=NOISE, fidelity=0.0)
        assert model.times == {"compute": 1 + 3 * 10 + 100, "copy_in": 5 * 0.5}


def test_what_numpy_does_between_the_networks_counts_as_computation(fake: Bundle, backend: RecordingBackend) -> None:
    model = LatentDiffusion(fake, backend, steps=3)
    model.open()
    backend.sessions["encoder"].times = {"compute": 0.001}
    model(LR, noise=NOISE, fidelity=0.0)
    assert list(model.times) == ["compute"] and model.times["compute"] > 0.001


@pytest.mark.parametrize("steps", [0, -1, 301])
def test_steps_out_of_range_are_a_usage_error(fake: Bundle, backend: RecordingBackend, steps: int) -> None:
    with pytest.raises(UsageError, match=r"--steps: .*expected 1 to 300"):
        LatentDiffusion(fake, backend, steps=steps)


def test_unknown_sampler_is_a_usage_error(fake: Bundle, backend: RecordingBackend) -> None:
    with pytest.raises(UsageError, match="no such sampler: euler"):
        LatentDiffusion(fake, backend, sampler="euler")


def test_sessions_open_at_first_use_and_close(fake: Bundle, backend: RecordingBackend) -> None:
    with LatentDiffusion(fake, backend, steps=2) as model:
        assert not backend.sessions
        model(LR, noise=None, fidelity=1.0)
    assert set(backend.sessions) == {"encoder", "denoiser", "decoder"}
    assert all(session._function is None for session in backend.sessions.values())


@pytest.mark.parametrize(("steps", "roles"), [(1, {"upscale"}), (2, {"encoder", "denoiser", "decoder"})])
def test_open_opens_what_will_run(fake: Bundle, backend: RecordingBackend, steps: int, roles: set[str]) -> None:
    LatentDiffusion(fake, backend, steps=steps).open()
    assert set(backend.sessions) == roles


def test_composed_graph_equals_the_staged_chain(tiny: Bundle) -> None:
    from edge_sr.backends.onnxrt import OnnxRuntime

    with LatentDiffusion(tiny, OnnxRuntime(threads=1)) as model:
        staged = model.decode(model.latents(LR, noise=NOISE, fidelity=0.4), LR)
        np.testing.assert_allclose(staged, model(LR, noise=NOISE, fidelity=0.4), atol=1e-5)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_agrees_with_its_input(tiny: Bundle, sampler: str) -> None:
    from edge_sr.backends.onnxrt import OnnxRuntime

    with LatentDiffusion(tiny, OnnxRuntime(threads=1), sampler=sampler, steps=5) as model:
        sr = model(LR, noise=NOISE, fidelity=0.0, noise_of_step=lambda step: NOISE)
    assert sr.dtype == np.float32 and sr.min() >= 0 and sr.max() <= 1
    np.testing.assert_allclose(area_mean(sr), LR, atol=1e-5)
