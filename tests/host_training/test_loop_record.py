"""metrics.jsonl is the record; TensorBoard and pictures stand beside it, and no point is there twice."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from edge_sr.errors import IntegrityError
from edge_sr.image.compare import NOTICE
from edge_sr.image.png import read_text
from host_training.loop import Trainer
from host_training.loop.record import Record
from host_training.validation import panels_of
from tests.host_training.toy_training import schedule, trained


def lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def points(folder: Path, tag: str) -> list[tuple[int, float]]:
    """What TensorBoard shows."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


def test_the_log_forgets_what_a_killed_training_did_after_its_checkpoint(tmp_path: Path) -> None:
    trained(tmp_path, until=3)
    with (tmp_path / "metrics.jsonl").open("a") as log:
        log.write('{"step": 5, "loss": 1.0}\n{"step": 6, "lo')
    trained(tmp_path)
    steps = [line["step"] for line in lines(tmp_path)]
    assert steps == sorted(steps) and 5 not in steps


def test_a_damaged_record_is_told(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\nnonsense\n{"step": 2}\n')
    with pytest.raises(IntegrityError, match=r"metrics\.jsonl: line 2 is not JSON"):
        Record(tmp_path).lines()


def test_a_step_has_its_loss_its_figures_and_its_rate(tmp_path: Path) -> None:
    plan = schedule(log_every=2)
    trained(tmp_path, plan=plan)
    steps = [line for line in lines(tmp_path) if "loss" in line]
    assert [line["step"] for line in steps] == [2, 4, 6, 8]
    assert all(line.keys() == {"step", "loss", "mean", "gradient_norm", "learning_rate", "seconds"} for line in steps)
    assert [line["learning_rate"] for line in steps] == pytest.approx([plan.rate(line["step"] - 1) for line in steps])


def test_what_is_no_number_is_left_out(tmp_path: Path) -> None:
    record = Record(tmp_path)
    record.add(1, {"psnr": float("inf"), "lpips": float("nan"), "loss": 0.123456789123})
    assert lines(tmp_path) == [{"step": 1, "loss": 0.12345679}]


def test_tensorboard_shows_the_record(tmp_path: Path) -> None:
    trained(tmp_path, plan=schedule(log_every=2))
    record = lines(tmp_path)
    losses = [(line["step"], line["loss"]) for line in record if "loss" in line]
    assert [step for step, _ in points(tmp_path, "loss")] == [step for step, _ in losses]
    assert [value for _, value in points(tmp_path, "loss")] == pytest.approx([value for _, value in losses])
    assert [step for step, _ in points(tmp_path, "validation/weight")] == [3, 6, 8]


def test_tensorboard_has_no_point_twice_after_a_kill(tmp_path: Path) -> None:
    plan = schedule(log_every=1)
    trained(tmp_path, plan=plan, until=7)
    (tmp_path / "checkpoints" / "step-000007.safetensors").unlink()  # as if killed before it
    trained(tmp_path, plan=plan)
    assert [step for step, _ in points(tmp_path, "loss")] == list(range(1, 9))


def test_tensorboard_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "tensorboard"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    trained(tmp_path)
    assert lines(tmp_path) and not (tmp_path / "tensorboard").exists()


def test_panels_are_drawn_with_the_averaged_weights_at_every_validation(tmp_path: Path) -> None:
    net, seen = nn.Linear(1, 1, bias=False), []
    trainer = Trainer(tmp_path, {"net": net}, schedule(learning_rate=0.1))

    def panels() -> np.ndarray:
        seen.append(torch.equal(net.weight, trainer.average["net.weight"]))
        return np.full((20, 30), trainer.step, np.uint8)

    trainer.run(lambda _: ((net.weight - 5).square().sum(), {}), validate=dict, panels=panels)
    assert seen == [True] * 3
    pictures = {path.name: np.asarray(Image.open(path)) for path in (tmp_path / "panels").iterdir()}
    assert sorted(pictures) == ["step-000003.png", "step-000006.png", "step-000008.png"]
    assert (pictures["step-000006.png"] == np.full((20, 30), 6)).all()
    assert NOTICE in read_text(tmp_path / "panels" / "step-000006.png").values()


def test_tensorboard_shows_the_panels(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    record = Record(tmp_path)
    record.open(0)
    record.show(3, np.zeros((20, 30), np.uint8))
    record.close()
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(image.step, image.width, image.height) for image in events.Images("panels")] == [(3, 30, 20)]


@pytest.mark.parametrize("scale", [2, 4])
def test_a_page_of_panels_holds_the_pictures(scale: int) -> None:
    lr, hr = torch.rand(6, 1, 256 // scale, 256 // scale), torch.rand(6, 1, 256, 256)
    page = panels_of(lr, hr * 3 - 1, hr, title="step 1")
    assert page.dtype == np.uint8 and page.ndim == 2
    truth = np.rint(hr[0, 0].numpy() * 255).astype(np.uint8)
    windows = np.lib.stride_tricks.sliding_window_view(page, (1, 256))[:, :, 0]
    assert (windows == truth[0]).all(-1).any()
