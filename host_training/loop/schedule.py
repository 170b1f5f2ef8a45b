"""How long and how fast a training goes, read from its TOML file."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from edge_sr.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CONFIGS = Path(__file__).parents[1] / "configs"
PRECISIONS = ("auto", "bf16", "fp16", "fp32")
BEST_IS = ("highest", "lowest")
RECORD_KEEPING = {"checkpoint_every", "log_every", "keep", "best", "best_is", "patience"}  # no weight depends on them


@dataclass(frozen=True)
class Schedule:
    """The part of a configuration that every training has. UsageError for what cannot be."""

    steps: int
    batch: int  # samples a step, over all processes and parts
    crop: int  # HR pixels
    learning_rate: float
    augment: str = "edge"  # a name of host_training.data.augment.AUGMENTATIONS
    warmup: int = 200  # steps
    last_rate: float = 0.01  # of the last step, as a share of learning_rate; 1 keeps it
    weight_decay: float = 1e-4  # of AdamW; 0 makes it Adam
    beta2: float = 0.999  # of Adam: how long it remembers squared gradients; Real-ESRGAN's is 0.99
    ema: float = 0.999
    clip: float = 1.0  # of the gradient's norm
    seed: int = 0
    precision: str = "auto"  # one of PRECISIONS
    accumulate: int = 1  # parts that a step's batch is computed in, one after the other, where memory is short
    checkpoint_every: int = 500  # steps; validation comes with it
    log_every: int = 50  # steps
    keep: int = 3  # checkpoints
    best: str = ""  # the validation figure by which best.safetensors is chosen; "" for none
    best_is: str = "highest"  # one of BEST_IS
    patience: int = 0  # validations without a better ``best`` after which the training stops; 0 for never

    def __post_init__(self) -> None:
        for name in ("batch", "crop", "accumulate", "checkpoint_every", "log_every", "keep"):
            if getattr(self, name) < 1:
                raise UsageError(f"{getattr(self, name)} is too small", where=name, expected="at least 1")
        for name, words in (("precision", PRECISIONS), ("best_is", BEST_IS)):
            if getattr(self, name) not in words:
                raise UsageError(f"unknown value {getattr(self, name)!r}", where=name, expected=" or ".join(words))
        if self.patience and not self.best:
            raise UsageError("no figure to be patient about", where="patience", hint='best = "psnr"')

    def rate(self, step: int) -> float:
        """Linear warm-up, then a cosine to one hundredth, or to another ``last_rate``."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        progress = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.learning_rate * (self.last_rate + (1 - self.last_rate) * (1 + math.cos(math.pi * progress)) / 2)


def changes(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """What two schedules, as dictionaries, would learn differently: "steps 8, not 9" and the like.

    A value that one of them lacks has its default.
    """
    defaults = {field.name: field.default for field in fields(Schedule)}
    one, other = {**defaults, **stored}, {**defaults, **wanted}
    names = [name for name in other if name not in RECORD_KEEPING and one.get(name) != other[name]]
    return [f"{name} {one.get(name)}, not {other[name]}" for name in names]


Config = Path | dict[str, Any]
"""A training's TOML file, or what was read from one."""


def read_config(config: Config) -> dict[str, Any]:
    """The tables of one training: a [schedule] or one a stage, the losses' weights, one a network."""
    if isinstance(config, dict):
        return config
    try:
        with config.open("rb") as file:
            return tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as fault:
        raise UsageError(str(fault), where=config, expected="a TOML file as in host_training/configs") from fault
