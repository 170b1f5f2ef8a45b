"""A training that gets no better stops, once and for all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from host_training.loop.best import Best, best_of
from host_training.loop.schedule import Schedule
from tests.host_training.toy_training import schedule, trained

SCORES = {3: 1.0, 6: 2.0, 9: 1.5, 12: 1.6, 15: 9.0}


def patient(patience: int, **changes: object) -> Schedule:
    return schedule(steps=15, best="score", patience=patience, **changes)


def early_stops(folder: Path) -> list[int]:
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [line["step"] for line in lines if "early_stop" in line]


def test_patience_ends_after_so_many_validations_without_a_better_one(tmp_path: Path) -> None:
    trainer = trained(tmp_path, plan=patient(2), scores=SCORES)
    assert trainer.step == 12 and trainer.finished
    assert early_stops(tmp_path) == [12]
    assert (tmp_path / "weights.safetensors").is_file()


def test_more_patience_than_needed_changes_nothing(tmp_path: Path) -> None:
    assert trained(tmp_path, plan=patient(3), scores=SCORES).step == 15
    assert not early_stops(tmp_path)


def test_without_patience_nothing_stops(tmp_path: Path) -> None:
    assert trained(tmp_path, plan=patient(0), scores=SCORES).step == 15


def test_lower_may_be_better(tmp_path: Path) -> None:
    assert trained(tmp_path, plan=patient(2, best_is="lowest"), scores=SCORES).step == 9


def test_a_stopped_training_stays_stopped(tmp_path: Path) -> None:
    for _ in range(2):
        trainer = trained(tmp_path, plan=patient(2), scores=SCORES)
        assert trainer.step == 12 and trainer.finished
    assert early_stops(tmp_path) == [12]


def test_with_more_patience_it_goes_on(tmp_path: Path) -> None:
    trained(tmp_path, plan=patient(2), scores=SCORES)
    assert trained(tmp_path, plan=patient(3), scores=SCORES).step == 15


def test_stops_by_hand_do_not_wear_patience_out(tmp_path: Path) -> None:
    for until in (4, 5, 7, 8, 10, None):
        trainer = trained(tmp_path, plan=patient(2), scores=SCORES, until=until)
    assert trainer.step == 12 and early_stops(tmp_path) == [12]


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ([], None),
        ([1.0], Best(2, 1.0, since=0)),
        ([1.0, 2.0, 2.0], Best(4, 2.0, since=1)),
        ([3.0, 2.0, 1.0], Best(2, 3.0, since=2)),
    ],
)
def test_the_best_is_the_first_of_equals(values: Sequence[float], best: Best | None) -> None:
    lines = [{"step": 2 * number, "validation_psnr": value} for number, value in enumerate(values, 1)]
    plan = schedule(steps=100, checkpoint_every=2, best="psnr")
    assert best_of([{"step": 1, "loss": 9.0}, *lines, {"step": 99, "validation_psnr": 50.0}], plan) == best
