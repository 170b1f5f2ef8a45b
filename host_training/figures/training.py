"""Training curves from metrics.jsonl, the record that every training keeps."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_sr.artifacts.bundle import Bundle
from host_training.evaluation.candidates import unused
from host_training.figures.parts import Drawing, Part
from host_training.figures.style import BLUE, CYCLE, axes, canvas, end_labels

LOG = "metrics.jsonl"
VALIDATION = "validation_"
SHARE = 20  # the smooth line of the loss is a mean over this part of the record


@dataclass(frozen=True)
class Training:
    """One training's record. name: also of its files. lines: each with its step. unread: how many have none."""

    name: str
    lines: tuple[Mapping[str, Any], ...]
    unread: int = 0


def trainings_in(folders: Iterable[Path]) -> list[Training]:
    """Every metrics.jsonl below the folders, named by the path of its own folder."""
    found: list[Training] = []
    for folder in folders:
        for log in sorted(folder.rglob(LOG)):
            path = log.parent.relative_to(folder).as_posix()
            found.append(read_training(log, own_name(folder.resolve().name if path == "." else path, found)))
    return found


def own_name(path: str, others: Iterable[Training]) -> str:
    """Fit for a file, and none of the others'."""
    return unused(re.sub(r"[^\w.-]+", "-", path), [other.name for other in others])


def read_training(log: Path, name: str) -> Training:
    """A training may be running: its last line need not be whole."""
    texts = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    lines = [line for text in texts if (line := _parsed(text))]
    return Training(name, tuple(lines), len(texts) - len(lines))


def _parsed(text: str) -> Mapping[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) and isinstance(line.get("step"), int) else None


def trainings_of(bundle: Bundle) -> list[Training]:
    """The record that a bundle carries, training/log.json: lines by stage."""
    log = bundle.folder / "training" / "log.json"
    found: list[Training] = []
    for stage, lines in json.loads(log.read_bytes()).items() if log.is_file() else ():
        found.append(Training(own_name(stage, found), tuple(lines)))
    return found


def curves(training: Training) -> list[Part]:
    """The loss, and the figures of the validation split by kind: psnr of one kind, lpips of another."""
    parts: list[Part] = []
    if (loss := series(training, "loss"))[0]:
        parts.append(_loss(training.name, *loss))
    names = dict.fromkeys(key for line in training.lines for key in line if key.startswith(VALIDATION))
    kinds: dict[str, list[str]] = {}
    for name in names:
        kinds.setdefault(name.removeprefix(VALIDATION).partition("_")[0], []).append(name)
    for kind, members in kinds.items():
        shown = {name: found for name in members if (found := series(training, name))[0]}
        if shown:
            parts.append(_validation(training.name, kind, shown))
    if training.unread:
        parts.append(f"{training.name}: {training.unread} lines of {LOG} could not be read and are left out.")
    return parts or [f"No curves of {training.name}: its {LOG} holds no figures yet."]


def series(training: Training, key: str) -> tuple[list[int], list[float]]:
    """Steps and values of one key; what is no number is left out."""
    pairs = [
        (line["step"], line[key])
        for line in training.lines
        if isinstance(line.get(key), (int, float)) and math.isfinite(line[key])
    ]
    return [step for step, _ in pairs], [value for _, value in pairs]


def smooth(values: Sequence[float]) -> list[float]:
    """The mean over a twentieth of the values around each."""
    half = max(1, len(values) // SHARE // 2)
    return [float(np.mean(values[max(0, i - half) : i + half + 1])) for i in range(len(values))]


def _loss(name: str, steps: list[int], values: list[float]) -> Drawing:
    figure = canvas(2.4)
    ax = axes(figure, x="step", y="loss")
    ax.plot(steps, values, ".", color=BLUE, markersize=3, alpha=0.4)
    ax.plot(steps, smooth(values), color=BLUE)
    ax.locator_params(axis="x", nbins=5)
    ax.grid()
    words = f"Loss of {name}: {values[0]:.4g} at step {steps[0]}, {values[-1]:.4g} at step {steps[-1]}"
    return Drawing(f"training-{name}-loss", "loss", f"{words}.", figure)


def _validation(name: str, kind: str, shown: Mapping[str, tuple[list[int], list[float]]]) -> Drawing:
    figure = canvas(2.4)
    ax = axes(figure, x="step", y=f"{kind}, validation", right=0.95)
    ax.locator_params(axis="x", nbins=4)
    ax.grid()
    labels, words = [], []
    for number, (key, (steps, values)) in enumerate(shown.items()):
        colour, title = CYCLE[number % len(CYCLE)], key.removeprefix(VALIDATION)
        ax.plot(steps, values, "o-", color=colour, markersize=2.5)
        labels.append((values[-1], title, colour))
        words.append(f"{title} {values[-1]:.4g} at step {steps[-1]}")
    end_labels(ax, labels)
    return Drawing(f"training-{name}-{kind}", kind, f"Validation of {name}: {', '.join(words)}.", figure)
