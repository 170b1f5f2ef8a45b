"""Who learns in a training: its networks and, where it has one, an opponent that is updated after them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from torch import Tensor, nn

from host_training.loop.learner import Learner
from host_training.loop.processes import Processes
from host_training.loop.schedule import Schedule
from host_training.loop.tensor_files import part_of

OPPONENT = "opponent"  # before the names of its tensors in a checkpoint, and of its figures in the record


class Players:
    """One learner, or two that take turns; the second one's last weights count, not their average.

    A checkpoint holds the first one's tensors by their own names, so one of a training without an opponent is what it
    was before there were any.

    Raises UsageError for fp16 on a CPU.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        opponent: Mapping[str, nn.Module] | None,
        schedule: Schedule,
        processes: Processes,
    ) -> None:
        self.learner = Learner(networks, schedule, processes)
        self.opponent = Learner(opponent, replace(schedule, ema=0.0), processes) if opponent else None

    @contextmanager
    def turn_of(self, learner: Learner) -> Iterator[None]:
        """The opponent learns in its own turn alone; in the other it is looked through."""
        if self.opponent is not None:
            self.opponent.networks.requires_grad_(learner is self.opponent)
        yield

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint holds."""
        tensors = self.learner.tensors()
        if self.opponent is not None:
            tensors |= {f"{OPPONENT}.{name}": value for name, value in self.opponent.tensors().items()}
        return tensors

    def loss_scales(self) -> dict[str, str]:
        """What a checkpoint's metadata say of the scalers."""
        scales = {"loss_scale": self.learner.loss_scale()}
        return scales | ({f"{OPPONENT}_loss_scale": self.opponent.loss_scale()} if self.opponent else {})

    def restore(self, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
        """Go on from what ``tensors`` and ``loss_scales`` gave. RuntimeError where they are of other networks."""
        theirs = part_of(tensors, OPPONENT)
        if bool(theirs) != (self.opponent is not None):
            raise RuntimeError("an opponent more, or one less")
        self.learner.restore(tensors, metadata["loss_scale"])
        if self.opponent is not None:
            self.opponent.restore(theirs, metadata[f"{OPPONENT}_loss_scale"])
