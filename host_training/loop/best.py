"""The best validation so far, read from the record: what best.safetensors holds and when patience ends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from host_training.loop.record import Line
from host_training.loop.schedule import Schedule


@dataclass(frozen=True)
class Best:
    """since: validations after it, none of which was better."""

    step: int
    value: float
    since: int


def best_of(lines: Iterable[Line], schedule: Schedule) -> Best | None:
    """The first of the best validations of a record; None where none has the figure ``schedule.best``.

    Those where someone stopped the training by hand do not count, so that a broken training stops and chooses as the
    unbroken one does.
    """
    name, sign = f"validation_{schedule.best}", 1 if schedule.best_is == "highest" else -1
    best: Best | None = None
    for line in lines:
        if name not in line or not regular(line["step"], schedule):
            continue
        if best is None or sign * line[name] > sign * best.value:
            best = Best(line["step"], line[name], since=0)
        else:
            best = Best(best.step, best.value, best.since + 1)
    return best


def regular(step: int, schedule: Schedule) -> bool:
    """Whether an unbroken training validates after this step."""
    return step % schedule.checkpoint_every == 0 or step == schedule.steps
