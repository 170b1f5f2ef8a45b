"""One update of the weights: a batch in parts, float16 with a scaled loss, the running average."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from edge_sr.errors import UsageError
from host_training.loop import Trainer
from host_training.loop.learner import Learner
from host_training.loop.precision import autocast, dtype_of
from host_training.loop.processes import Processes
from host_training.loop.record import Record
from tests.host_training.toy_training import nets, schedule, trained

CPU = torch.device("cpu")


@pytest.mark.parametrize("accumulate", [2, 4])
def test_a_batch_in_parts_is_the_batch(tmp_path: Path, accumulate: int) -> None:
    whole = trained(tmp_path / "whole", plan=schedule(batch=4, steps=20))
    parts = trained(tmp_path / "parts", plan=schedule(batch=4, steps=20, accumulate=accumulate))
    for name, value in whole.average.items():
        torch.testing.assert_close(parts.average[name], value, atol=1e-5, rtol=0)


def test_parts_are_the_samples_of_the_batch(tmp_path: Path) -> None:
    net, seen = nn.Linear(1, 1), []
    trainer = Trainer(tmp_path, {"net": net}, schedule(batch=6, accumulate=3, steps=2))

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        seen.append((step, list(trainer.samples)))
        return net.weight.sum(), {}

    trainer.run(loss_of, validate=dict)
    assert seen == [(step, samples) for step in (0, 1) for samples in ([0, 3], [1, 4], [2, 5])]


def test_parts_that_would_differ_in_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a batch of 4 has no 3 equal shares \(processes: 1, accumulate: 3\)"):
        Trainer(tmp_path, nets(), schedule(batch=4, accumulate=3))


def test_noise_belongs_to_the_sample(tmp_path: Path) -> None:
    whole, parts = (Trainer(tmp_path, nets(), schedule(batch=4, accumulate=n)) for n in (1, 2))
    noise = whole.normal(5, 2, 3)
    assert noise.shape == (4, 2, 3)
    for part in (0, 1):
        parts.part = part
        assert torch.equal(parts.normal(5, 2, 3), noise[list(parts.samples)])
    assert not torch.equal(whole.normal(5, 2, 3, stream=1), noise)


def test_draws_depend_on_seed_step_and_stream_alone(tmp_path: Path) -> None:
    draws = [
        torch.randn(4, generator=Trainer(tmp_path, nets(), schedule(seed=seed)).generator(step, stream))
        for seed, step, stream in ((0, 5, 0), (0, 5, 0), (0, 6, 0), (1, 5, 0), (0, 5, 1))
    ]
    assert torch.equal(draws[0], draws[1])
    assert not any(torch.equal(draws[0], other) for other in draws[2:])


def test_the_optimiser_is_as_the_schedule_says() -> None:
    learner = Learner({"net": nn.Linear(1, 1)}, schedule(beta2=0.99, weight_decay=0.0), Processes(CPU))
    assert learner.optimiser.defaults["betas"] == (0.9, 0.99) and learner.optimiser.defaults["weight_decay"] == 0


@pytest.mark.parametrize(("steps", "share"), [(0, 0.9), (1000, 0.5)])
def test_the_average_forgets_its_start_sooner(steps: int, share: float) -> None:
    learner = Learner({"net": nn.Linear(1, 1, bias=False)}, schedule(ema=0.5), Processes(CPU))
    before = learner.average["net.weight"].clone()
    with torch.no_grad():
        learner.networks["net"].weight += 1
    learner.update_average(steps)
    torch.testing.assert_close(learner.average["net.weight"], before + share)


def test_a_counter_is_not_averaged_but_followed() -> None:
    net = nn.BatchNorm2d(2)
    learner = Learner({"net": net}, schedule(), Processes(CPU))
    net(torch.rand(2, 2, 4, 4))
    learner.update_average(1000)
    assert learner.average["net.num_batches_tracked"] == 1


def test_fp16_on_a_cpu_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="fp16 training needs a GPU; this is a CPU; expected auto, bf16 or fp32"):
        Trainer(tmp_path, nets(), schedule(precision="fp16"))


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp32", torch.float32)])
def test_a_precision_is_what_networks_compute_in(precision: str, dtype: torch.dtype) -> None:
    assert dtype_of(precision, CPU) is dtype
    with autocast(CPU, dtype):
        assert nn.Linear(2, 2)(torch.rand(1, 2)).dtype is dtype


def test_fp16_is_for_gpus() -> None:
    assert dtype_of("fp16", torch.device("cuda")) is torch.float16


def test_auto_is_bfloat16_only_where_the_cpu_is_fast_in_it() -> None:
    fast = torch.cpu._is_amx_tile_supported()
    assert dtype_of("auto", CPU) is (torch.bfloat16 if fast else torch.float32)


def scaled(folder: Path, *, scale: float, steps: int = 8) -> tuple[Trainer, nn.Linear]:
    """A training of one weight with a scaled loss, as for float16. torch scales on a CPU as on a GPU."""
    net = nn.Linear(1, 1, bias=False)
    nn.init.ones_(net.weight)
    trainer = Trainer(folder, {"net": net}, schedule(learning_rate=0.1, steps=steps))
    trainer.learner.scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    return trainer, net


def weights_of(trainer: Trainer, net: nn.Linear, *, factor: float = 1.0) -> list[float]:
    """The weight before every step."""
    weights = []

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        weights.append(net.weight.item())
        return (factor * (net.weight - 5).square()).sum(), {}

    trainer.run(loss_of, validate=dict)
    return weights


def test_a_scaled_loss_trains_as_the_plain_one(tmp_path: Path) -> None:
    plain, net = scaled(tmp_path / "plain", scale=1.0)
    expected = weights_of(plain, net)
    trainer, net = scaled(tmp_path / "scaled", scale=2.0**16)
    assert weights_of(trainer, net) == pytest.approx(expected)


def test_a_gradient_that_overflows_by_its_scale_is_left_out(tmp_path: Path) -> None:
    trainer, net = scaled(tmp_path, scale=2.0**126)
    weights = weights_of(trainer, net)
    assert weights[:2] == [1.0, 1.0] and weights[-1] > 1.0
    assert trainer.step == 8 and trainer.learner.scaler.get_scale() < 2.0**126


def test_a_gradient_that_overflows_at_any_scale_ends_the_training(tmp_path: Path) -> None:
    trainer, net = scaled(tmp_path, scale=4.0)
    with pytest.raises(UsageError, match="the gradient of step 2 is not finite"):
        weights_of(trainer, net, factor=float("nan"))


def test_the_scale_is_resumed(tmp_path: Path) -> None:
    trainer, net = scaled(tmp_path, scale=2.0**126)
    weights_of(trainer, net)
    state = trainer.learner.scaler.state_dict()
    other, _ = scaled(tmp_path, scale=1.0)
    other.resume()
    assert other.learner.scaler.state_dict() == state


def test_float16_learns_what_float32_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU it is only emulated, and therefore refused, but the arithmetic is the same."""
    plan = schedule(steps=20, log_every=1)
    trained(tmp_path / "fp32", plan=plan)
    monkeypatch.setattr("host_training.loop.learner.dtype_of", lambda precision, device: torch.float16)
    half = trained(tmp_path / "fp16", plan=plan)
    assert half.learner.scaler.is_enabled()
    assert all(value.dtype is torch.float32 for value in half.average.values())
    exact, rounded = (
        [line["loss"] for line in Record(tmp_path / name).lines() if "loss" in line] for name in ("fp32", "fp16")
    )
    assert rounded == pytest.approx(exact, rel=0.02) and rounded != exact
