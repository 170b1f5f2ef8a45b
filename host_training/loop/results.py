"""Where the results of a training are and how far it came: what ``edge-sr-host train`` ends with."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import safe_open

from host_training.loop.checkpoints import Checkpoints
from host_training.loop.record import Line, Record
from host_training.loop.schedule import Schedule


def results_of(folder: Path) -> str:
    """One paragraph for each training in ``folder`` or below, in the order in which they were trained."""
    records = sorted(folder.rglob("metrics.jsonl"), key=lambda path: path.stat().st_mtime)
    return "\n".join(paragraph(path.parent) for path in records)


def paragraph(folder: Path) -> str:
    """How far one training came, then its files."""
    lines = Record(folder).lines()
    entries = {
        "weights.safetensors": "averaged weights of the last step",
        "best.safetensors": best(folder),
        "opponent.safetensors": "last weights of the discriminator",
        "metrics.jsonl": last_figures(lines),
        "panels": "sample pictures",
        "tensorboard": f"tensorboard --logdir {folder}",
    }
    shown = [f"  {name:<20} {what}" for name, what in entries.items() if (folder / name).exists()]
    return "\n".join([f"{folder}: {progress(folder, lines)}", *shown])


def progress(folder: Path, lines: list[Line]) -> str:
    """Steps done, and why there are no more."""
    checkpoints = Checkpoints(folder / "checkpoints", keep=1).paths()
    if not checkpoints:
        return "no checkpoint yet"
    metadata = metadata_of(checkpoints[-1])
    step, schedule = int(metadata["step"]), Schedule(**json.loads(metadata["schedule"]))
    if step >= schedule.steps:
        return f"all {step} steps done"
    if lines and "early_stop" in lines[-1]:
        waited = f"no better {schedule.best} in {schedule.patience} validations"
        return f"stopped early, at step {step} of {schedule.steps}: {waited}"
    return f"step {step} of {schedule.steps}; the same command goes on"


def best(folder: Path) -> str:
    """Step and figure of the best weights, "" where there are none."""
    path = folder / "best.safetensors"
    if not path.is_file():
        return ""
    metadata = metadata_of(path)
    return f"averaged weights of step {metadata['step']}, the best {metadata['figure']}: {metadata['value']}"


def last_figures(lines: list[Line]) -> str:
    """The figures of the last validation."""
    for line in reversed(lines):
        figures = {k.removeprefix("validation_"): v for k, v in line.items() if k.startswith("validation_")}
        if figures:
            return "last figures: " + ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
    return "the record"


def metadata_of(path: Path) -> dict[str, str]:
    """Of a safetensors file; the tensors are not read."""
    with safe_open(path, "pt") as file:
        return file.metadata() or {}
