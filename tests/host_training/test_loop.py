"""A training that stops and goes on is the training that never stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from edge_sr.errors import EdgeSRError, IntegrityError, UsageError
from host_training.data.crops import crop_batch
from host_training.loop import CONFIGS, Schedule, Trainer, load_weights, read_checkpoint, read_config
from host_training.nets.autoencoder import Decoder, HREncoder

PLAN = {"steps": 8, "batch": 2, "crop": 32, "learning_rate": 1e-3, "warmup": 3, "precision": "fp32"}


def schedule(**changes: object) -> Schedule:
    return Schedule(**{**PLAN, "checkpoint_every": 3, **changes})  # type: ignore[arg-type]


def nets(width: int = 8) -> dict[str, nn.Module]:
    """Autoencoder with fixed first weights."""
    torch.manual_seed(0)
    return {"hr_encoder": HREncoder(width), "decoder": Decoder(width, 1)}


def trained(folder: Path, *, until: int | None = None, plan: Schedule | None = None, width: int = 8) -> Trainer:
    """An autoencoder on noise, with noise on its latents: convolutions, moments and random numbers as in earnest."""
    learnt = nets(width)
    trainer = Trainer(folder, learnt, plan or schedule())
    hr = torch.randint(0, 256, (2, 256, 256), generator=trainer.generator(-1)).byte().numpy()

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        truth, lr = map(torch.from_numpy, crop_batch(hr, seed=0, step=step, batch=2, size=32))
        latents = learnt["hr_encoder"](truth)
        noise = torch.randn(latents.shape, generator=trainer.generator(step))
        loss = (learnt["decoder"](latents + noise, lr) - truth).square().mean()
        return loss, {"std": latents.std().item()}

    trainer.run(loss_of, validate=dict, until=until)
    return trainer


def one_number(folder: Path, loss: Callable[[int, Tensor], Tensor], plan: Schedule) -> Trainer:
    """A training of a single weight."""
    net = nn.Linear(1, 1, bias=False)
    trainer = Trainer(folder, {"net": net}, plan)
    trainer.run(lambda step: (loss(step, net.weight).sum(), {}), validate=lambda: {"weight": net.weight.item()})
    return trainer


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("stops", [[4], [1, 3, 5]])
def test_resuming_is_exact(tmp_path: Path, stops: list[int]) -> None:
    unbroken = trained(tmp_path / "unbroken")
    for until in stops:
        trained(tmp_path / "broken", until=until)
    resumed = trained(tmp_path / "broken")
    assert resumed.step == unbroken.step == 8
    assert equal(resumed.networks.state_dict(), unbroken.networks.state_dict())
    assert equal(resumed.average, unbroken.average)
    files = [load_file(tmp_path / name / "weights.safetensors") for name in ("broken", "unbroken")]
    assert equal(*files) and equal(files[0], unbroken.average)


def test_a_killed_training_goes_on_from_its_last_checkpoint(tmp_path: Path) -> None:
    unbroken = trained(tmp_path / "unbroken")
    trained(tmp_path / "killed", until=3)
    (tmp_path / "killed" / "weights.safetensors").unlink()
    (tmp_path / "killed" / ".checkpoint.safetensors.part").write_bytes(b"half a file")
    assert equal(trained(tmp_path / "killed").average, unbroken.average)


def test_the_log_forgets_what_a_killed_training_did_after_its_checkpoint(tmp_path: Path) -> None:
    trained(tmp_path, until=3)
    with (tmp_path / "metrics.jsonl").open("a") as log:
        log.write('{"step": 5, "loss": 1.0}\n')
    trained(tmp_path)
    steps = [json.loads(line)["step"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(steps) and 5 not in steps


def test_the_seconds_go_on_where_they_stopped(tmp_path: Path) -> None:
    spent = trained(tmp_path, until=3).seconds
    assert trained(tmp_path).seconds > spent > 0


def test_a_finished_training_is_left_as_it_is(tmp_path: Path) -> None:
    trained(tmp_path)
    before = (tmp_path / "weights.safetensors").read_bytes()
    assert trained(tmp_path).finished
    assert (tmp_path / "weights.safetensors").read_bytes() == before


def test_until_zero_trains_nothing(tmp_path: Path) -> None:
    trainer = trained(tmp_path, until=0)
    assert trainer.step == 0 and not trainer.finished


def test_a_checkpoint_is_the_old_or_the_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(tmp_path, until=3)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()

    def full_disk(tensors: object, path: Path, metadata: object = None) -> None:
        path.write_bytes(b"half a file")
        raise OSError("no space left on device")

    monkeypatch.setattr("host_training.loop.save_file", full_disk)
    with pytest.raises(OSError, match="no space"):
        trained(tmp_path)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before


@pytest.mark.parametrize("change", [{"steps": 9}, {"learning_rate": 2e-3}, {"seed": 1}, {"batch": 3}])
def test_another_schedule_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    trained(tmp_path, until=2)
    with pytest.raises(IntegrityError, match=r"checkpoint\.safetensors: .* another schedule(.|\n)*try: "):
        trained(tmp_path, plan=schedule(**change))


def test_another_origin_is_refused(tmp_path: Path) -> None:
    Trainer(tmp_path, nets(), schedule(), origin="a").save()
    Trainer(tmp_path, nets(), schedule(), origin="a").resume()
    with pytest.raises(IntegrityError, match="another origin"):
        Trainer(tmp_path, nets(), schedule(), origin="b").resume()


def test_other_networks_are_refused(tmp_path: Path) -> None:
    trained(tmp_path, until=2)
    with pytest.raises(IntegrityError, match="holds other networks"):
        trained(tmp_path, width=12)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    trained(tmp_path, until=2)
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(IntegrityError, match=r"checkpoint\.safetensors: cannot be read"):
        trained(tmp_path)


def test_a_loss_that_is_no_number_ends_the_training_before_it_is_saved(tmp_path: Path) -> None:
    def loss(step: int, weight: Tensor) -> Tensor:
        return weight.square() * (float("nan") if step == 4 else 1)

    with pytest.raises(EdgeSRError, match="gradient of step 4 is not finite"):
        one_number(tmp_path, loss, schedule())
    metadata, tensors = read_checkpoint(tmp_path / "checkpoint.safetensors")
    assert metadata["step"] == "3" and all(bool(value.isfinite().all()) for value in tensors.values())


def test_validation_sees_the_average_and_training_goes_on_without_it(tmp_path: Path) -> None:
    trainer = one_number(tmp_path, lambda _, weight: (weight - 5).square(), schedule(learning_rate=0.1))
    last = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])
    average, current = trainer.average["net.weight"].item(), trainer.networks["net"].weight.item()
    assert last["step"] == 8 and last["validation_weight"] == pytest.approx(average, abs=1e-6)
    assert abs(current - average) > 1e-3


@pytest.mark.parametrize(("step", "share"), [(0, 0.9), (1000, 0.5)])
def test_the_average_forgets_its_start_sooner(tmp_path: Path, step: int, share: float) -> None:
    trainer = Trainer(tmp_path, {"net": nn.Linear(1, 1, bias=False)}, schedule(ema=0.5))
    before = trainer.average["net.weight"].clone()
    with torch.no_grad():
        trainer.networks["net"].weight += 1
    trainer.step = step
    trainer.update_average()
    torch.testing.assert_close(trainer.average["net.weight"], before + share)


def test_the_rate_warms_up_and_falls_as_a_cosine() -> None:
    plan = Schedule(steps=1000, batch=1, crop=32, learning_rate=1.0, warmup=100)
    rates = [plan.rate(step) for step in range(1001)]
    assert rates[0] == pytest.approx(0.01) and max(rates) == rates[99] == rates[100] == 1.0
    assert rates[550] == pytest.approx(0.505, abs=1e-3) and rates[1000] == pytest.approx(0.01)
    assert rates[100:] == sorted(rates[100:], reverse=True)


def test_noise_depends_on_seed_and_step_alone(tmp_path: Path) -> None:
    draws = [
        torch.randn(4, generator=Trainer(tmp_path, nets(), schedule(seed=seed)).generator(step))
        for seed, step in ((0, 5), (0, 5), (0, 6), (1, 5))
    ]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2]) and not torch.equal(draws[0], draws[3])


def test_weights_are_loaded_by_name(tmp_path: Path) -> None:
    source, target = nn.Linear(2, 2), nn.Linear(2, 2)
    save_file({f"one.{k}": v for k, v in source.state_dict().items()} | {"two.x": torch.zeros(1)}, tmp_path / "w")
    load_weights(tmp_path / "w", one=target)
    assert equal(target.state_dict(), source.state_dict())


def test_weights_that_are_missing_or_others_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none: no such file; expected the weights of a finished training"):
        load_weights(tmp_path / "none", net=nn.Linear(2, 2))
    save_file({"net.weight": torch.zeros(3, 3)}, tmp_path / "w")
    with pytest.raises(IntegrityError, match="w: these are not the weights of this net"):
        load_weights(tmp_path / "w", net=nn.Linear(2, 2))


@pytest.mark.parametrize("name", ["autoencoder", "diffusion", "feedforward"])
def test_the_shipped_configurations_are_read(name: str) -> None:
    settings = read_config(CONFIGS / f"{name}.toml")
    stages = ("latent", "distil", "joint") if name == "diffusion" else ("schedule",)
    for plan in (Schedule(**settings[stage]) for stage in stages):
        assert plan.warmup < plan.steps and plan.crop % 32 == 0  # the loss looks at windows of up to 32 pixels


def test_a_configuration_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[schedule\nsteps = 1")
    for path in (tmp_path / "a.toml", tmp_path / "none.toml"):
        with pytest.raises(UsageError, match=rf"{path.name}: .*expected a TOML file"):
            read_config(path)
