"""One training from its first step to its last, on one process or several.

A sample and its noise depend on (seed, step, sample) alone. So a checkpoint needs no generator state, and it does not
matter which process computes a sample.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from edge_sr.errors import IntegrityError, UsageError
from host_training.loop.best import Best, best_of, regular
from host_training.loop.checkpoints import ANEW, Checkpoints
from host_training.loop.learner import Learner
from host_training.loop.players import OPPONENT, Players
from host_training.loop.precision import autocast
from host_training.loop.processes import Processes
from host_training.loop.record import Record
from host_training.loop.schedule import Schedule, changes
from host_training.loop.tensor_files import write_tensors

LossOf = Callable[[int], tuple[Tensor, dict[str, float]]]
"""step -> the loss, a mean over ``trainer.samples``, and figures for the record."""
Validate = Callable[[], dict[str, float]]
Panels = Callable[[], np.ndarray]
"""Sample panels as one picture, (H, W) uint8."""


class Trainer:
    """One training: ``networks`` are learnt, ``loss_of(step)`` is what they minimise.

    Writes into ``folder``: metrics.jsonl, the record; checkpoints/, from which the same call goes on where it stopped;
    panels/ and tensorboard/; best.safetensors, the averaged weights at the best validation; and at the end
    weights.safetensors, the averaged weights, and opponent.safetensors, the last ones, where there is an opponent.

    The loss is a mean over samples: then it does not matter in how many parts, or by how many processes, a batch is
    computed. ``loss_of`` is called once a part, and ``samples`` says which samples are meant.

    origin: what the networks start from, e.g. the hash of another training's weights; a checkpoint that started from
    something else is refused.

    opponent: networks that learn against the others, such as a discriminator, with an optimiser of their own; what
    they minimise is ``run``'s ``opponent_loss``.

    Raises UsageError where the batch cannot be shared evenly, and for fp16 on a CPU.
    """

    def __init__(
        self,
        folder: Path,
        networks: Mapping[str, nn.Module],
        schedule: Schedule,
        *,
        origin: str = "",
        opponent: Mapping[str, nn.Module] | None = None,
    ) -> None:
        self.folder, self.schedule, self.origin = folder, schedule, origin
        self.processes = Processes.joined()
        self.processes.share(schedule.batch, parts=schedule.accumulate)  # refused before anything is read
        self.device = self.processes.device
        self.players = Players(networks, opponent, schedule, self.processes)
        self.checkpoints = Checkpoints(folder / "checkpoints", schedule.keep)
        self.record = Record(folder)
        self.step, self.part, self.seconds, self.stopped = 0, 0, 0.0, False
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def finished(self) -> bool:
        """At the last step, or out of patience."""
        return self.stopped or self.step >= self.schedule.steps

    @property
    def learner(self) -> Learner:
        """Of ``networks``."""
        return self.players.learner

    @property
    def networks(self) -> nn.ModuleDict:
        return self.learner.networks

    @property
    def average(self) -> dict[str, Tensor]:
        """The averaged weights."""
        return self.learner.average

    @property
    def samples(self) -> Sequence[int]:
        """The samples of a step's batch that this process computes now."""
        return self.processes.share(self.schedule.batch, part=self.part, parts=self.schedule.accumulate)

    def generator(self, step: int, stream: int = 0) -> torch.Generator:
        """What one step draws for its whole batch, on the CPU, from (seed, step, stream)."""
        return torch.Generator().manual_seed((self.schedule.seed * 1_000_003 + step) * 65_536 + stream)

    def normal(self, step: int, *shape: int, stream: int = 0) -> Tensor:
        """Normal noise for this process's samples, (samples, *shape), from (seed, step, sample, stream)."""
        draws = [
            torch.randn(shape, generator=self.generator(step, stream=1 + 8 * sample + stream))
            for sample in self.samples
        ]
        return torch.stack(draws).to(self.device)

    def main_first(self) -> AbstractContextManager[None]:
        """The main process goes through the body before the others do: it fills a cache, they read it."""
        return self.processes.main_first()

    def run(
        self,
        loss_of: LossOf,
        *,
        validate: Validate,
        panels: Panels | None = None,
        until: int | None = None,
        opponent_loss: LossOf | None = None,
    ) -> None:
        """Train to ``schedule.steps`` (or stop early at ``until``), checkpointing and validating on the way.

        validate, panels: called in the main process, with the averaged weights in place. opponent_loss: called once a
        part like ``loss_of``, after the networks' update of the same step; an opponent has one.

        Raises UsageError where the loss stops being a number (the checkpoint before it stays), and where validation has
        no figure named ``schedule.best``; IntegrityError for a checkpoint that this training cannot go on from.
        """
        self.resume()
        last = self.schedule.steps if until is None else min(until, self.schedule.steps)
        with self.recording(), self.progress_bar() as bar:
            self.catch_up(validate, panels)
            start = time.monotonic() - self.seconds
            while self.step < last and not self.stopped:
                figures = self.one_step(loss_of, opponent_loss)
                bar.update()
                self.seconds = time.monotonic() - start
                if self.step % self.schedule.log_every == 0:
                    bar.set_postfix(loss=f"{self.log_means(figures):.4f}", refresh=False)
                if self.step == last or regular(self.step, self.schedule):
                    self.save()
                    self.look(validate, panels)
        with self.main_first():  # who comes next reads these weights
            if self.processes.main:
                write_tensors(self.folder / "weights.safetensors", self.average)
                if self.players.opponent is not None:
                    write_tensors(self.folder / f"{OPPONENT}.safetensors", self.players.opponent.average)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """The record is open in the main process."""
        if not self.processes.main:
            yield
            return
        self.record.open(self.step)
        try:
            yield
        finally:
            self.record.close()

    def progress_bar(self) -> tqdm[None]:
        count = self.processes.count
        return tqdm(
            total=self.schedule.steps,
            initial=self.step,
            desc=self.folder.name + (f", {count} processes" if count > 1 else ""),
            unit="step",
            mininterval=5,
            disable=not self.processes.main,
        )

    def one_step(self, loss_of: LossOf, opponent_loss: LossOf | None = None) -> dict[str, float]:
        """One update of the weights, and one of the opponent's; the losses before them and their figures."""
        figures = self.one_update(self.learner, loss_of)
        if self.players.opponent is not None and opponent_loss is not None:
            theirs = self.one_update(self.players.opponent, opponent_loss)
            figures |= {f"{OPPONENT}_{name}": value for name, value in theirs.items()}
        self.step += 1
        return figures

    def one_update(self, learner: Learner, loss_of: LossOf) -> dict[str, float]:
        """One update of a learner's weights; the loss before it and its figures, means over this process's parts."""
        parts = []
        with self.players.turn_of(learner):
            for part in range(self.schedule.accumulate):
                self.part = part
                with autocast(self.device, learner.dtype):
                    loss, figures = loss_of(self.step)
                learner.backward(loss)
                parts.append({"loss": float(loss.detach()), **figures})
        self.part = 0
        norm = learner.settle_gradient()
        if not math.isfinite(norm) and not learner.overflow_is_normal:
            # one such step and every weight is lost, the averaged ones too
            raise UsageError(
                f"the gradient of step {self.step} is not finite", where=self.folder, hint="a lower learning_rate"
            )
        learner.update(self.step)
        return {name: sum(part[name] for part in parts) / len(parts) for name in parts[0]} | {"gradient_norm": norm}

    def log_means(self, figures: Mapping[str, float]) -> float:
        """Record the means over the processes of a step's figures; the loss."""
        means = self.processes.means(figures)
        self.log({**means, "learning_rate": self.schedule.rate(self.step - 1), "seconds": self.seconds})
        return means["loss"]

    def log(self, figures: Mapping[str, float]) -> None:
        """Add a line for this step to the record."""
        if self.processes.main:
            self.record.add(self.step, figures)

    def look(self, validate: Validate, panels: Panels | None) -> None:
        """Validate, keep the weights if they are the best, and see whether patience is at its end."""
        if self.processes.main:
            with self.learner.averaged():
                figures = validate()
                picture = panels() if panels else None
            if picture is not None:
                self.record.show(self.step, picture)
            self.log({f"validation_{name}": value for name, value in figures.items()})
            if self.schedule.best and self.schedule.best not in figures:
                known = ", ".join(figures) or "no figure"
                raise UsageError(f"validation has no {self.schedule.best!r}", where="best", expected=known)
        self.judge()

    def catch_up(self, validate: Validate, panels: Panels | None) -> None:
        """What a training that was killed right after its last checkpoint did not come to."""
        unseen = self.processes.main and self.step > 0 and not self.record.validated(self.step)
        if self.processes.told(unseen):
            self.look(validate, panels)
        else:
            self.judge()

    def judge(self) -> None:
        """Write best.safetensors if these weights are the best, and stop if patience is at its end."""
        best = self.best() if self.processes.main else None
        if best and best.step == self.step:
            metadata = {"step": str(best.step), "figure": self.schedule.best, "value": f"{best.value:.6g}"}
            write_tensors(self.folder / "best.safetensors", self.average, metadata=metadata)
        patience = self.schedule.patience
        self.stopped = self.processes.told(best is not None and 0 < patience <= best.since)
        if self.stopped and self.processes.main and "early_stop" not in self.record.lines()[-1]:
            self.log({"early_stop": 1})

    def best(self) -> Best | None:
        """The best validation in the record."""
        return best_of(self.record.lines(), self.schedule) if self.schedule.best else None

    def save(self) -> None:
        """A checkpoint of the main process: everything that resuming needs."""
        if self.processes.main:
            self.checkpoints.write(self.step, self.players.tensors(), self.metadata())

    def metadata(self) -> dict[str, str]:
        """What a checkpoint says of itself."""
        return {
            "step": str(self.step),
            "seconds": f"{self.seconds:.1f}",
            "schedule": json.dumps(asdict(self.schedule)),
            "origin": self.origin,
            **self.players.loss_scales(),
        }

    def resume(self) -> None:
        """Go on from the folder's newest checkpoint, if there is one.

        Raises IntegrityError for one of another schedule, another start or other networks, and for a damaged one.
        """
        # Read once and told to all: on another machine the folder may not show the same files yet.
        found = self.processes.told(self.checkpoints.newest() if self.processes.main else None)
        if found is None:
            return
        path, metadata, tensors = found
        self.refuse_others(path, metadata)
        try:
            self.players.restore(tensors, metadata)
        except RuntimeError as fault:
            raise IntegrityError("this checkpoint holds other networks", where=path, hint=ANEW) from fault
        self.step, self.seconds = int(metadata["step"]), float(metadata["seconds"])

    def refuse_others(self, path: Path, metadata: Mapping[str, str]) -> None:
        """IntegrityError where a checkpoint belongs to another training than this one."""
        if changed := changes(json.loads(metadata["schedule"]), asdict(self.schedule)):
            what = f"this checkpoint was made with another schedule ({'; '.join(changed)})"
            raise IntegrityError(what, where=path, hint=ANEW)
        if metadata["origin"] != self.origin:
            raise IntegrityError("this checkpoint was made with another origin", where=path, hint=ANEW)
