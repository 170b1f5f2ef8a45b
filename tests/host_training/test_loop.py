"""A training that stops and goes on is the training that never stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from edge_sr.errors import EdgeSRError, IntegrityError, UsageError
from host_training.loop import Schedule, Trainer, load_weights, read_checkpoint
from tests.host_training.toy_training import nets, schedule, trained

ROOT = Path(__file__).resolve().parents[2]


def one_number(folder: Path, loss: Callable[[int, Tensor], Tensor], plan: Schedule) -> Trainer:
    """A training of a single weight."""
    net = nn.Linear(1, 1, bias=False)
    trainer = Trainer(folder, {"net": net}, plan)
    trainer.run(lambda step: (loss(step, net.weight).sum(), {}), validate=lambda: {"weight": net.weight.item()})
    return trainer


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def lines(folder: Path) -> list[dict[str, float]]:
    """The record without the clock."""
    read = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in read]


@pytest.mark.parametrize("stops", [[4], [1, 3, 5]])
def test_resuming_is_exact(tmp_path: Path, stops: list[int]) -> None:
    unbroken = trained(tmp_path / "unbroken")
    for until in stops:
        trained(tmp_path / "broken", until=until)
    resumed = trained(tmp_path / "broken", seed=1)  # whatever the networks hold before the checkpoint is read
    assert resumed.step == unbroken.step == 8
    assert equal(resumed.networks.state_dict(), unbroken.networks.state_dict())
    assert equal(resumed.average, unbroken.average)
    files = [load_file(tmp_path / name / "weights.safetensors") for name in ("broken", "unbroken")]
    assert equal(*files) and equal(files[0], unbroken.average)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_forty_steps_are_twenty_and_twenty(tmp_path: Path, accumulate: int) -> None:
    plan = schedule(steps=40, checkpoint_every=10, log_every=5, accumulate=accumulate)
    unbroken = trained(tmp_path / "unbroken", plan=plan)
    trained(tmp_path / "broken", plan=plan, until=20)
    assert equal(trained(tmp_path / "broken", plan=plan).average, unbroken.average)
    assert lines(tmp_path / "broken") == lines(tmp_path / "unbroken")


def test_a_killed_training_goes_on_from_its_last_checkpoint(tmp_path: Path) -> None:
    plan = {"steps": 40, "checkpoint_every": 10, "log_every": 1, "accumulate": 2}
    unbroken = trained(tmp_path / "unbroken", plan=schedule(**plan))
    changes = [f"{name}={value}" for name, value in plan.items()]
    command = [sys.executable, "-m", "tests.host_training.toy_training", "--kill-at", "25", str(tmp_path / "killed")]
    killed = subprocess.run([*command, *changes], cwd=ROOT, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert max(line["step"] for line in lines(tmp_path / "killed")) == 25
    assert not (tmp_path / "killed" / "weights.safetensors").exists()
    assert equal(trained(tmp_path / "killed", plan=schedule(**plan)).average, unbroken.average)
    assert lines(tmp_path / "killed") == lines(tmp_path / "unbroken")


def test_a_training_killed_before_its_first_checkpoint_begins_again(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 2, "loss": 1.0}\n')
    trained(tmp_path)
    assert [line["step"] for line in lines(tmp_path)] == [3, 6, 8]


def test_a_validation_that_a_kill_prevented_is_made_up_for(tmp_path: Path) -> None:
    trained(tmp_path, until=3)
    (tmp_path / "metrics.jsonl").write_text("")
    trained(tmp_path)
    assert [line["step"] for line in lines(tmp_path)] == [3, 6, 8]


def test_what_validation_raises_costs_no_step(tmp_path: Path) -> None:
    net = nn.Linear(1, 1)

    def validate() -> dict[str, float]:
        raise UsageError("no data")

    with pytest.raises(UsageError, match="no data"):
        Trainer(tmp_path, {"net": net}, schedule()).run(lambda _: (net.weight.sum(), {}), validate=validate)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-000003.safetensors"]


def test_the_seconds_go_on_where_they_stopped(tmp_path: Path) -> None:
    spent = trained(tmp_path, until=3).seconds
    assert trained(tmp_path).seconds > spent > 0


def test_a_finished_training_is_left_as_it_is(tmp_path: Path) -> None:
    trained(tmp_path)
    before = (tmp_path / "weights.safetensors").read_bytes(), lines(tmp_path)
    assert trained(tmp_path).finished
    assert ((tmp_path / "weights.safetensors").read_bytes(), lines(tmp_path)) == before


def test_until_zero_trains_nothing(tmp_path: Path) -> None:
    trainer = trained(tmp_path, until=0)
    assert trainer.step == 0 and not trainer.finished


@pytest.mark.parametrize("change", [{"steps": 9}, {"learning_rate": 2e-3}, {"seed": 1}, {"batch": 3}])
def test_another_schedule_is_refused(tmp_path: Path, change: dict[str, float]) -> None:
    trained(tmp_path, until=2)
    ((name, value),) = change.items()
    old = getattr(schedule(), name)
    what = rf"step-000002\.safetensors: .* another schedule \({name} {old}, not {value}\)(.|\n)*try: "
    with pytest.raises(IntegrityError, match=what):
        trained(tmp_path, plan=schedule(**change))


def test_how_often_is_looked_may_change(tmp_path: Path) -> None:
    trained(tmp_path, until=2)
    assert trained(tmp_path, plan=schedule(checkpoint_every=4, log_every=2, keep=1, best="weight", patience=9)).finished


def test_another_origin_is_refused(tmp_path: Path) -> None:
    Trainer(tmp_path, nets(), schedule(), origin="a").save()
    Trainer(tmp_path, nets(), schedule(), origin="a").resume()
    with pytest.raises(IntegrityError, match="another origin"):
        Trainer(tmp_path, nets(), schedule(), origin="b").resume()


def test_other_networks_are_refused(tmp_path: Path) -> None:
    trained(tmp_path, until=2)
    with pytest.raises(IntegrityError, match="holds other networks"):
        trained(tmp_path, width=12)


def test_a_loss_that_is_no_number_ends_the_training_before_it_is_saved(tmp_path: Path) -> None:
    def loss(step: int, weight: Tensor) -> Tensor:
        return weight.square() * (float("nan") if step == 4 else 1)

    with pytest.raises(EdgeSRError, match="gradient of step 4 is not finite"):
        one_number(tmp_path, loss, schedule())
    (checkpoint,) = (tmp_path / "checkpoints").iterdir()
    metadata, tensors = read_checkpoint(checkpoint)
    assert metadata["step"] == "3" and all(bool(value.isfinite().all()) for value in tensors.values())


def test_validation_sees_the_average_and_training_goes_on_without_it(tmp_path: Path) -> None:
    trainer = one_number(tmp_path, lambda _, weight: (weight - 5).square(), schedule(learning_rate=0.1))
    last = lines(tmp_path)[-1]
    average, current = trainer.average["net.weight"].item(), trainer.networks["net"].weight.item()
    assert last["step"] == 8 and last["validation_weight"] == pytest.approx(average, abs=1e-6)
    assert abs(current - average) > 1e-3


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
