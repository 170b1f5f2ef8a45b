from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from edge_sr.artifacts.bundle import Bundle, default_bundle
from host_training.figures.parts import Drawing
from host_training.figures.style import svg_of
from host_training.figures.training import (
    Training,
    curves,
    own_name,
    read_training,
    series,
    smooth,
    trainings_in,
    trainings_of,
)

LINES = [
    {"step": 50, "loss": 0.5, "seconds": 1.0},
    {"step": 100, "loss": 0.25, "seconds": 2.0},
    {"step": 100, "validation_psnr_1": 33.0, "validation_psnr_0": 32.0, "validation_lpips_1": 0.1},
    {"step": 200, "loss": float("nan"), "validation_psnr_1": float("inf")},
    {"step": 200, "validation_psnr_1": 34.5, "validation_psnr_0": None},
]


def write_log(folder: Path, *, end: str = "\n") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, LINES)) + end)
    return folder


def test_what_is_no_number_is_left_out() -> None:
    training = Training("toy", tuple(LINES))
    assert series(training, "loss") == ([50, 100], [0.5, 0.25])
    assert series(training, "validation_psnr_1") == ([100, 200], [33.0, 34.5])


def test_a_figure_for_the_loss_and_one_a_kind_of_validation() -> None:
    parts = curves(Training("toy", tuple(LINES)))
    drawings = [part for part in parts if isinstance(part, Drawing)]
    assert [drawing.name for drawing in drawings] == ["training-toy-loss", "training-toy-psnr", "training-toy-lpips"]
    assert "psnr_1 34.5 at step 200, psnr_0 32 at step 100" in drawings[1].alt
    assert all("<svg" in svg_of(drawing.figure) for drawing in drawings)


def test_a_line_that_is_being_written_is_told(tmp_path: Path) -> None:
    write_log(tmp_path, end='\n{"step": 250, "lo')
    training = read_training(tmp_path / "metrics.jsonl", "toy")
    assert (len(training.lines), training.unread) == (len(LINES), 1)
    assert curves(training)[-1] == "toy: 1 lines of metrics.jsonl could not be read and are left out."


@pytest.mark.parametrize("content", ["", "[1]\n", '{"loss": 1}\n', '{"step": "x", "loss": 1}\n', "\x00\xff\n"])
def test_a_log_without_figures_draws_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "metrics.jsonl").write_text(content)
    assert not any(isinstance(part, Drawing) for part in curves(read_training(tmp_path / "metrics.jsonl", "toy")))


def test_trainings_are_named_by_their_folders(tmp_path: Path) -> None:
    for name in ("autoencoder", "diffusion/latent"):
        write_log(tmp_path / "runs" / name)
    write_log(tmp_path / "alone")
    found = trainings_in([tmp_path / "runs", tmp_path / "alone", tmp_path / "runs"])
    names = ["autoencoder", "diffusion-latent", "alone", "autoencoder-2", "diffusion-latent-2"]
    assert [training.name for training in found] == names


def test_a_name_fits_a_file() -> None:
    assert own_name("a/b c:d", []) == "a-b-c-d"


def test_a_bundle_carries_its_record() -> None:
    found = trainings_of(Bundle.open(default_bundle()))
    log = json.loads((default_bundle() / "training" / "log.json").read_text())
    assert [len(training.lines) for training in found] == [len(lines) for lines in log.values()]
    assert all(isinstance(curves(training)[0], Drawing) for training in found)


def test_smoothing_keeps_a_straight_line_and_its_length() -> None:
    assert smooth([2.0] * 7) == [2.0] * 7
    assert smooth([float(i) for i in range(100)])[50] == 50.0
