"""How long and how fast: what a configuration may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sr.errors import UsageError
from host_training.loop import CONFIGS, Schedule, read_config
from host_training.loop.schedule import changes
from host_training.settings import table_as
from tests.host_training.toy_training import schedule

STAGES = {"diffusion": ("latent", "distil", "joint"), "refine": ("refine",)}


def test_the_rate_warms_up_and_falls_as_a_cosine() -> None:
    plan = Schedule(steps=1000, batch=1, crop=32, learning_rate=1.0, warmup=100)
    rates = [plan.rate(step) for step in range(1001)]
    assert rates[0] == pytest.approx(0.01) and max(rates) == rates[99] == rates[100] == 1.0
    assert rates[550] == pytest.approx(0.505, abs=1e-3) and rates[1000] == pytest.approx(0.01)
    assert rates[100:] == sorted(rates[100:], reverse=True)


def test_the_rate_may_stay_or_end_elsewhere() -> None:
    constant = Schedule(steps=1000, batch=1, crop=32, learning_rate=0.5, warmup=0, last_rate=1.0)
    assert {constant.rate(step) for step in range(1001)} == {0.5}
    halved = Schedule(steps=1000, batch=1, crop=32, learning_rate=1.0, warmup=0, last_rate=0.5)
    assert [halved.rate(step) for step in (0, 500, 1000)] == pytest.approx([1, 0.75, 0.5])


TRAININGS = [path for path in sorted(CONFIGS.glob("*.toml")) if path.stem != "random-weights"]  # which trains nothing


@pytest.mark.parametrize("path", TRAININGS, ids=lambda path: path.stem)
def test_the_shipped_configurations_are_read(path: Path) -> None:
    settings = read_config(path)
    for stage in STAGES.get(path.stem, ("schedule",)):
        plan = table_as(Schedule, settings, stage)
        assert plan.warmup < plan.steps and plan.crop % 32 == 0  # the loss looks at windows of up to 32 pixels


def test_a_configuration_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[schedule\nsteps = 1")
    for path in (tmp_path / "a.toml", tmp_path / "none.toml"):
        with pytest.raises(UsageError, match=rf"{path.name}: .*expected a TOML file"):
            read_config(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"precision": "fp8"}, "precision: unknown value 'fp8'; expected auto or bf16 or fp16 or fp32"),
        ({"best_is": "max"}, "best_is: unknown value 'max'; expected highest or lowest"),
        ({"accumulate": 0}, "accumulate: 0 is too small; expected at least 1"),
        ({"keep": 0}, "keep: 0 is too small; expected at least 1"),
        ({"log_every": 0}, "log_every: 0 is too small; expected at least 1"),
        ({"patience": 3}, r"patience: no figure to be patient about(.|\n)*best = "),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        schedule(**change)


def test_changes_name_what_is_learnt_differently() -> None:
    one = {"steps": 8, "learning_rate": 1e-3}
    assert changes(one, {**one, "steps": 9, "accumulate": 2}) == ["steps 8, not 9", "accumulate 1, not 2"]
    assert changes({**one, "keep": 1}, {**one, "patience": 4, "best": "psnr"}) == []
