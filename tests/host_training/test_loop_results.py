"""What ``edge-sr-host train`` ends with: how far the training came, and where its results are."""

from __future__ import annotations

from pathlib import Path

from host_training.loop.results import results_of
from tests.host_training.toy_training import schedule, trained

SCORES = {3: 2.0, 6: 1.0}


def test_a_finished_training_shows_its_files(tmp_path: Path) -> None:
    trained(tmp_path, plan=schedule(best="score"), scores=SCORES)
    text = results_of(tmp_path)
    assert text.startswith(f"{tmp_path}: all 8 steps done\n")
    for name in ("weights.safetensors", "metrics.jsonl"):
        assert f"  {name} " in text
    assert "best.safetensors     averaged weights of step 3, the best score: 2" in text
    assert "last figures: weight " in text and "panels" not in text


def test_a_training_in_progress_says_how_to_go_on(tmp_path: Path) -> None:
    trained(tmp_path, until=4)
    assert f"{tmp_path}: step 4 of 8; the same command goes on\n" in results_of(tmp_path)


def test_a_training_that_stopped_early_says_why(tmp_path: Path) -> None:
    trained(tmp_path, plan=schedule(best="score", patience=1), scores=SCORES)
    said = "stopped early, at step 6 of 8: no better score in 1 validations"
    assert f"{tmp_path}: {said}\n" in results_of(tmp_path)


def test_every_stage_is_shown_in_its_order(tmp_path: Path) -> None:
    for stage in ("latent", "distil"):
        trained(tmp_path / stage)
    shown = [line for line in results_of(tmp_path).splitlines() if not line.startswith(" ")]
    assert shown == [f"{tmp_path / stage}: all 8 steps done" for stage in ("latent", "distil")]


def test_a_training_that_has_only_begun_has_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 50, "loss": 1.0}\n')
    assert results_of(tmp_path) == f"{tmp_path}: no checkpoint yet\n  metrics.jsonl        the record"
