"""What every training shares: configuration, learning rate, averaged weights, checkpoints that resume exactly.

A batch and its noise depend on (seed, step) alone, so a checkpoint needs no generator state: weights, their running
average, the optimiser's moments and the step are all there is.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm import tqdm

from edge_sr.errors import IntegrityError, UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CONFIGS = Path(__file__).parent / "configs"


@dataclass(frozen=True)
class Schedule:
    """How long and how fast: the part of a configuration that every training has."""

    steps: int
    batch: int
    crop: int  # HR pixels
    learning_rate: float
    warmup: int = 200
    ema: float = 0.999
    clip: float = 1.0
    seed: int = 0
    precision: str = "auto"  # auto | bf16 | fp32
    checkpoint_every: int = 500

    def rate(self, step: int) -> float:
        """Linear warm-up, then a cosine to one hundredth."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        progress = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2)


def read_config(path: Path) -> dict[str, Any]:
    """One training's TOML file: a [schedule] table and a table a network."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as fault:
        raise UsageError(str(fault), where=path, expected="a TOML file as in host_training/configs") from fault


def bf16_is_fast(device: torch.device) -> bool:
    """On a CPU bfloat16 pays only with AMX tiles; without them it is emulated and slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return bool(torch.cpu._is_amx_tile_supported())


class Trainer:
    """One training: ``networks`` are learnt, ``loss_of(step)`` is what they minimise.

    Writes ``folder/checkpoint.safetensors`` (atomically), ``folder/metrics.jsonl`` and, at the end, the averaged
    weights as ``folder/weights.safetensors``. Called again with the same folder it goes on where it stopped.
    """

    def __init__(self, folder: Path, networks: Mapping[str, nn.Module], schedule: Schedule) -> None:
        self.folder, self.schedule, self.step = folder, schedule, 0
        self.networks = nn.ModuleDict(dict(networks))
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.networks.to(self.device, memory_format=torch.channels_last)
        self.average = {name: value.detach().clone() for name, value in self.networks.state_dict().items()}
        self.optimiser = torch.optim.AdamW(self.networks.parameters(), lr=schedule.learning_rate, weight_decay=1e-4)
        wanted = schedule.precision
        self.bf16 = wanted == "bf16" or (wanted == "auto" and bf16_is_fast(self.device))
        folder.mkdir(parents=True, exist_ok=True)

    def generator(self, step: int) -> torch.Generator:
        """The noise of one step, on the CPU, from (seed, step)."""
        return torch.Generator().manual_seed(self.schedule.seed * 1_000_003 + step)

    def run(
        self,
        loss_of: Callable[[int], tuple[Tensor, dict[str, float]]],
        *,
        validate: Callable[[], dict[str, float]],
        until: int | None = None,
    ) -> None:
        """Train to ``schedule.steps`` (or stop early at ``until``), checkpointing and validating on the way."""
        self.resume()
        last = min(until or self.schedule.steps, self.schedule.steps)
        bar = tqdm(total=self.schedule.steps, initial=self.step, desc=self.folder.name, unit="step", mininterval=5)
        start = time.monotonic()
        while self.step < last:
            loss, parts = self.one_step(loss_of)
            bar.update()
            if self.step % 50 == 0:
                self.log({"loss": loss, **parts, "seconds": time.monotonic() - start})
                bar.set_postfix(loss=f"{loss:.4f}")
            if self.step % self.schedule.checkpoint_every == 0 or self.step == last:
                self.save()
                self.log({f"validation_{k}": v for k, v in self.validated(validate).items()})
        bar.close()
        save_file({k: v.contiguous() for k, v in self.average.items()}, self.folder / "weights.safetensors")

    def one_step(self, loss_of: Callable[[int], tuple[Tensor, dict[str, float]]]) -> tuple[float, dict[str, float]]:
        for group in self.optimiser.param_groups:
            group["lr"] = self.schedule.rate(self.step)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16):
            loss, parts = loss_of(self.step)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.networks.parameters(), self.schedule.clip)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.step += 1
        self.update_average()
        return float(loss.detach()), parts

    @torch.no_grad()
    def update_average(self) -> None:
        """Exponential moving average, shorter while there is little to average."""
        decay = min(self.schedule.ema, (1 + self.step) / (10 + self.step))
        for name, value in self.networks.state_dict().items():
            self.average[name].lerp_(value.to(self.average[name]), 1 - decay)

    @torch.no_grad()
    def validated(self, validate: Callable[[], dict[str, float]]) -> dict[str, float]:
        """Validation with the averaged weights in place of the current ones."""
        current = {k: v.clone() for k, v in self.networks.state_dict().items()}
        self.networks.load_state_dict(self.average)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16):
            figures = validate()
        self.networks.load_state_dict(current)
        return figures

    def log(self, record: dict[str, float]) -> None:
        rounded = {k: round(v, 6) if isinstance(v, float) else v for k, v in record.items()}
        with (self.folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps({"step": self.step, **rounded}) + "\n")

    def save(self) -> None:
        """Everything that resuming needs, in one file that is either the old or the new one."""
        tensors = {f"weights.{k}": v for k, v in self.networks.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.items()}
        for index, moments in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{k}": torch.as_tensor(v) for k, v in moments.items()}
        temporary = self.folder / ".checkpoint.part"
        save_file({k: v.contiguous() for k, v in tensors.items()}, temporary, metadata=self.metadata())
        os.replace(temporary, self.folder / "checkpoint.safetensors")

    def metadata(self) -> dict[str, str]:
        return {"step": str(self.step), "schedule": json.dumps(asdict(self.schedule))}

    def resume(self) -> None:
        """Go on from the folder's checkpoint, if there is one made with the same schedule."""
        path = self.folder / "checkpoint.safetensors"
        if not path.is_file():
            return
        metadata, tensors = read_checkpoint(path)
        if metadata["schedule"] != self.metadata()["schedule"]:
            raise IntegrityError(
                "this checkpoint was made with another schedule", where=path, hint="another --out, or delete it"
            )
        self.step = int(metadata["step"])
        self.networks.load_state_dict(part_of(tensors, "weights"))
        self.average = {k: v.to(self.device) for k, v in part_of(tensors, "average").items()}
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in part_of(tensors, "optimiser").items():
            index, key = name.split(".")
            moments.setdefault(int(index), {})[key] = value
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": moments})


def read_checkpoint(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def part_of(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with ``prefix.``, without it."""
    return {k.removeprefix(f"{prefix}."): v for k, v in tensors.items() if k.startswith(f"{prefix}.")}


def load_weights(path: Path, **networks: nn.Module) -> None:
    """Fill networks from a ``weights.safetensors``; each takes the tensors under its own name."""
    tensors = load_file(path)
    for name, network in networks.items():
        network.load_state_dict(part_of(tensors, name))
