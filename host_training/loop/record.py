"""What a training leaves to look at: metrics.jsonl, which is the truth, and TensorBoard and pictures beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_sr.errors import IntegrityError
from edge_sr.image.atomic import write_atomically
from edge_sr.image.compare import NOTICE
from edge_sr.image.png import write_png

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

Line = dict[str, Any]
"""One line of metrics.jsonl: "step", an int, and figures by name."""


class Record:
    """``folder/metrics.jsonl``, ``folder/panels/`` and, where tensorboard is installed, ``folder/tensorboard/``."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "metrics.jsonl"
        self.begin = 0
        self.writer: SummaryWriter | None = None

    def open(self, step: int) -> None:
        """Go on after ``step``: what a killed training did beyond its last checkpoint is dropped and done again."""
        if self.path.is_file():
            kept = [json.dumps(line) + "\n" for line in self.lines() if line["step"] <= step]
            write_atomically(self.path, "".join(kept).encode(), overwrite=True)
        self.begin = step + 1

    def close(self) -> None:
        if self.writer:
            self.writer.close()
            self.writer = None

    def tensorboard(self) -> SummaryWriter | None:
        """Opened when there is something to show; None where TensorBoard is not installed."""
        if self.writer is None:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                return None
            # purge_step hides what earlier runs' files say of these steps
            self.writer = SummaryWriter(str(self.folder / "tensorboard"), purge_step=self.begin)
        return self.writer

    def lines(self) -> list[Line]:
        """Everything recorded so far. A last line that a killed training left half written does not count.

        IntegrityError where another line is not JSON.
        """
        texts = self.path.read_text().splitlines() if self.path.is_file() else []
        read: list[Line] = []
        for number, text in enumerate(texts, 1):
            try:
                read.append(json.loads(text))
            except ValueError as fault:
                if number < len(texts):
                    raise IntegrityError(f"line {number} is not JSON", where=self.path) from fault
        return read

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        """One line, and a point for each figure in TensorBoard. JSON knows no NaN: such a figure is left out."""
        finite = {name: value for name, value in figures.items() if math.isfinite(value)}
        rounded = {name: float(f"{value:.8g}") if isinstance(value, float) else value for name, value in finite.items()}
        with self.path.open("a") as file:
            file.write(json.dumps({"step": step, **rounded}) + "\n")
        if writer := self.tensorboard():
            for name, value in finite.items():
                writer.add_scalar(name.replace("validation_", "validation/"), value, step)

    def show(self, step: int, picture: np.ndarray) -> None:
        """A sample panel, (H, W) uint8, as panels/step-000500.png and in TensorBoard."""
        folder = self.folder / "panels"
        folder.mkdir(exist_ok=True)
        write_png(folder / f"step-{step:06d}.png", picture, text={"Comment": NOTICE}, level=6, overwrite=True)
        if writer := self.tensorboard():
            writer.add_image("panels", picture, step, dataformats="HW")

    def validated(self, step: int) -> bool:
        """Whether the validation of this step is in the record; a training may have been killed before it."""
        return any(line["step"] == step and "loss" not in line for line in self.lines())
