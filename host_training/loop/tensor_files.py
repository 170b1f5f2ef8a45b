"""Weights in safetensors files: written whole or not at all, read by name."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from edge_sr.errors import EnvironmentFault, IntegrityError, UsageError


def write_tensors(path: Path, tensors: Mapping[str, Tensor], *, metadata: dict[str, str] | None = None) -> None:
    """A safetensors file that is either the old or the new one, whenever the process or the power is cut.

    EnvironmentFault where the disk does not take it; the old file stays.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        save_file({name: value.contiguous() for name, value in tensors.items()}, part, metadata=metadata)
        part.chmod(0o644)  # safetensors writes 0600; weights are no secret
        with part.open("rb") as file:
            os.fsync(file.fileno())  # hours of work: a rename may reach the disk before the bytes do
        part.replace(path)
    except (OSError, SafetensorError) as fault:
        with contextlib.suppress(OSError):
            part.unlink()
        raise EnvironmentFault(f"cannot be written ({fault})", where=path, hint=f"df -h {path.parent}") from fault


def read_checkpoint(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of a safetensors file; IntegrityError where it is damaged."""
    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as fault:
        raise IntegrityError(f"cannot be read ({fault})", where=path, expected="a safetensors file") from fault


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
