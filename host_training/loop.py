"""What every training shares: configuration, learning rate, averaged weights, checkpoints that resume exactly.

A batch and its noise depend on (seed, step) alone, so a checkpoint needs no generator state: weights, their running
average, the optimiser's moments and the step are all there is.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from edge_sr.errors import EdgeSRError, IntegrityError, UsageError
from edge_sr.image.atomic import write_atomically
from host_training.nets.blocks import channels_last

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CONFIGS = Path(__file__).parent / "configs"
ANEW = "train into another folder, or delete this one"


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

    origin: what the networks start from, e.g. the hash of another training's weights; a checkpoint that started from
    something else is refused.
    """

    def __init__(
        self, folder: Path, networks: Mapping[str, nn.Module], schedule: Schedule, *, origin: str = ""
    ) -> None:
        self.folder, self.schedule, self.origin = folder, schedule, origin
        self.step, self.seconds = 0, 0.0
        self.networks = nn.ModuleDict(dict(networks))
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.networks.to(self.device)
        channels_last(self.networks)
        self.average = {name: value.detach().clone() for name, value in self.networks.state_dict().items()}
        self.optimiser = torch.optim.AdamW(self.networks.parameters(), lr=schedule.learning_rate, weight_decay=1e-4)
        wanted = schedule.precision
        self.bf16 = wanted == "bf16" or (wanted == "auto" and bf16_is_fast(self.device))
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def finished(self) -> bool:
        return self.step >= self.schedule.steps

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
        """Train to ``schedule.steps`` (or stop early at ``until``), checkpointing and validating on the way.

        Raises EdgeSRError where the loss stops being a number; the checkpoint before it stays.
        """
        self.resume()
        last = self.schedule.steps if until is None else min(until, self.schedule.steps)
        bar = tqdm(total=self.schedule.steps, initial=self.step, desc=self.folder.name, unit="step", mininterval=5)
        start = time.monotonic() - self.seconds
        while self.step < last:
            loss, parts = self.one_step(loss_of)
            bar.update()
            self.seconds = time.monotonic() - start
            if self.step % 50 == 0:
                self.log({"loss": loss, **parts, "seconds": self.seconds})
                bar.set_postfix(loss=f"{loss:.4f}")
            if self.step % self.schedule.checkpoint_every == 0 or self.step == last:
                self.save()
                self.log({f"validation_{k}": v for k, v in self.validated(validate).items()})
        bar.close()
        write_tensors(self.folder / "weights.safetensors", self.average)

    def one_step(self, loss_of: Callable[[int], tuple[Tensor, dict[str, float]]]) -> tuple[float, dict[str, float]]:
        """One update of the weights; returns the loss before it and its parts."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.schedule.rate(self.step)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16):
            loss, parts = loss_of(self.step)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.networks.parameters(), self.schedule.clip)
        if not math.isfinite(norm):  # one such step and every weight is lost, the averaged ones too
            raise EdgeSRError(
                f"the gradient of step {self.step} is not finite", where=self.folder, hint="a lower learning_rate"
            )
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
        """Append one line to metrics.jsonl."""
        rounded = {k: round(v, 6) if isinstance(v, float) else v for k, v in record.items()}
        with (self.folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps({"step": self.step, **rounded}) + "\n")

    def save(self) -> None:
        """Everything that resuming needs, in one file that is either the old or the new one."""
        tensors = {f"weights.{k}": v for k, v in self.networks.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.items()}
        for index, moments in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{k}": torch.as_tensor(v) for k, v in moments.items()}
        write_tensors(self.folder / "checkpoint.safetensors", tensors, metadata=self.metadata())

    def metadata(self) -> dict[str, str]:
        """What a checkpoint says of itself."""
        state = {"step": str(self.step), "seconds": f"{self.seconds:.1f}"}
        return {**state, "schedule": json.dumps(asdict(self.schedule)), "origin": self.origin}

    def resume(self) -> None:
        """Go on from the folder's checkpoint, if there is one.

        Raises IntegrityError for one of another schedule, another start or other networks, and for a damaged one.
        """
        path = self.folder / "checkpoint.safetensors"
        if not path.is_file():
            return
        metadata, tensors = read_checkpoint(path)
        for key in ("schedule", "origin"):
            if metadata.get(key, self.metadata()[key]) != self.metadata()[key]:
                raise IntegrityError(f"this checkpoint was made with another {key}", where=path, hint=ANEW)
        try:
            self.networks.load_state_dict(part_of(tensors, "weights"))
        except RuntimeError as fault:
            raise IntegrityError("this checkpoint holds other networks", where=path, hint=ANEW) from fault
        self.step, self.seconds = int(metadata["step"]), float(metadata.get("seconds", 0))
        self.forget_after(self.step)
        self.average = {k: v.to(self.device) for k, v in part_of(tensors, "average").items()}
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in part_of(tensors, "optimiser").items():
            index, key = name.split(".")
            moments.setdefault(int(index), {})[key] = value
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": moments})

    def forget_after(self, step: int) -> None:
        """Drop the log's lines of steps that a killed training did after its last checkpoint; they are done again."""
        log = self.folder / "metrics.jsonl"
        if log.is_file():
            lines = [line for line in log.read_text().splitlines() if json.loads(line)["step"] <= step]
            write_atomically(log, "".join(f"{line}\n" for line in lines).encode(), overwrite=True)


def read_checkpoint(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of a safetensors file; IntegrityError where it is damaged."""
    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as fault:
        raise IntegrityError(f"cannot be read ({fault})", where=path, expected="a safetensors file") from fault


def write_tensors(path: Path, tensors: Mapping[str, Tensor], *, metadata: dict[str, str] | None = None) -> None:
    """A safetensors file that is either the old or the new one, whenever the process is stopped."""
    part = path.with_name(f".{path.name}.part")
    save_file({name: value.contiguous() for name, value in tensors.items()}, part, metadata=metadata)
    part.chmod(0o644)  # safetensors writes 0600; weights are no secret
    part.replace(path)


def part_of(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with ``prefix.``, without it."""
    return {k.removeprefix(f"{prefix}."): v for k, v in tensors.items() if k.startswith(f"{prefix}.")}


def load_weights(path: Path, **networks: nn.Module) -> str:
    """Fill networks from a ``weights.safetensors``; each takes the tensors under its own name. Returns its sha256.

    Raises UsageError where there is no such file, IntegrityError where it is damaged or holds other networks.
    """
    if not path.is_file():
        raise UsageError("no such file", where=path, expected="the weights of a finished training")
    _, tensors = read_checkpoint(path)
    for name, network in networks.items():
        try:
            network.load_state_dict(part_of(tensors, name))
        except RuntimeError as fault:
            raise IntegrityError(f"these are not the weights of this {name}", where=path) from fault
    return hashlib.sha256(path.read_bytes()).hexdigest()
