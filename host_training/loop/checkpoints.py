"""The last few checkpoints of a training, and which one it goes on from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from edge_sr.errors import IntegrityError
from host_training.loop.tensor_files import read_checkpoint, write_tensors

ANEW = "train into another folder, or delete this one"


@dataclass(frozen=True)
class Checkpoints:
    """``folder/step-000500.safetensors`` and so on, the newest ``keep`` of them."""

    folder: Path
    keep: int

    def paths(self) -> list[Path]:
        """Oldest first."""
        return sorted(self.folder.glob("step-*.safetensors"), key=step_of)

    def write(self, step: int, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
        """One more, and none of those that are too many; EnvironmentFault where the disk does not take it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"step-{step:06d}.safetensors"
        write_tensors(path, tensors, metadata={**metadata, "sha256": fingerprint(tensors)})
        for old in self.paths()[: -self.keep]:
            old.unlink()

    def newest(self) -> tuple[Path, dict[str, str], dict[str, Tensor]] | None:
        """Path, metadata and tensors of the newest one, None where there is none.

        IntegrityError where it is damaged; it names the one before. That is not taken in silence: whoever trains
        should know that steps are done again, and that the disk is bad.
        """
        if not (paths := self.paths()):
            return None
        path = paths[-1]
        try:
            metadata, tensors = read_checkpoint(path)
            if metadata.get("sha256") != fingerprint(tensors):
                raise IntegrityError("its tensors are not those that were written", where=path)
        except IntegrityError as fault:
            before = f"to go on from {paths[-2].name}, the one before it" if len(paths) > 1 else "to start again"
            raise IntegrityError(
                f"this checkpoint is damaged: {fault.what}", where=path, hint=f"rm {path}  ({before})"
            ) from fault
        return path, metadata, tensors


def step_of(path: Path) -> int:
    """The step in a checkpoint's name."""
    return int(path.stem.removeprefix("step-"))


def fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """sha256 over names and bytes: safetensors notices a file cut short, not one with a changed byte."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {value.dtype} {list(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
