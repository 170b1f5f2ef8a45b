"""The processes of one training, and what they tell each other.

``accelerate launch`` starts them, on one machine or several, and tells each its number by environment variables;
Hugging Face accelerate joins them and gives each its device. A training that nobody launched so is one process and
needs no accelerate. Gradients are averaged by hand, since a loss calls several networks as it likes: there is no one
forward pass that DistributedDataParallel could wrap.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from edge_sr.errors import EnvironmentFault, UsageError

LONGEST_WAIT = timedelta(hours=2)  # while the main process validates, or reads every picture for the first time
T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """One process among ``count``; number 0 is the main one, the only one that writes files.

    Every method is called by all processes at the same point of the program.
    """

    device: torch.device
    rank: int = 0
    count: int = 1

    @classmethod
    def joined(cls) -> Processes:
        """This process among those it was launched with. EnvironmentFault where accelerate is needed and missing."""
        on_cpu = not torch.cuda.is_available() or os.environ.get("ACCELERATE_USE_CPU", "").lower() == "true"
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls(torch.device("cpu" if on_cpu else "cuda"))
        try:
            from accelerate import PartialState
        except ModuleNotFoundError as fault:
            raise EnvironmentFault(
                "several processes need the package accelerate", hint='pip install "edge-sr[scale]"'
            ) from fault
        if not dist.is_initialized():
            atexit.register(dist.destroy_process_group)
        state = PartialState(cpu=on_cpu, timeout=LONGEST_WAIT)
        return cls(state.device, state.process_index, state.num_processes)

    @property
    def main(self) -> bool:
        return self.rank == 0

    def share(self, batch: int, *, part: int = 0, parts: int = 1) -> range:
        """The samples of a batch that this process computes in one of the parts of a step.

        Every n-th one, so that the first quarter of each share is together the first quarter of the batch.

        Raises UsageError where the shares would differ in size: their gradients could not simply be averaged.
        """
        shares = self.count * parts
        if batch % shares:
            raise UsageError(
                f"a batch of {batch} has no {shares} equal shares (processes: {self.count}, accumulate: {parts})",
                expected=f"a multiple of {shares}",
                hint=f"batch = {-(-batch // shares) * shares} in the schedule",
            )
        return range(self.rank + self.count * part, batch, shares)

    @torch.no_grad()
    def average(self, tensors: Sequence[Tensor]) -> None:
        """Put the mean over the processes into each tensor; in one go, laid end to end."""
        if self.count == 1 or not tensors:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        flat /= self.count
        for tensor, mean in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(mean.view_as(tensor))

    def means(self, figures: Mapping[str, float]) -> dict[str, float]:
        """The mean over the processes of each figure."""
        values = torch.tensor(list(figures.values()), dtype=torch.float64, device=self.device)
        self.average([values])
        return dict(zip(figures, values.tolist(), strict=True))

    @torch.no_grad()
    def spread(self, tensors: Iterable[Tensor]) -> None:
        """Put the main process's values into each tensor."""
        if self.count > 1:
            for tensor in tensors:
                values = tensor.contiguous()
                dist.broadcast(values, 0)
                tensor.copy_(values)

    def told(self, value: T) -> T:
        """The main process's value, in all of them."""
        if self.count == 1:
            return value
        carrier = [value if self.main else None]
        dist.broadcast_object_list(carrier, 0, device=self.device)
        return carrier[0]  # type: ignore[return-value]

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """The main process goes through the body before the others do: it fills a cache, they read it."""
        if not self.main:
            self.told(None)
        yield
        if self.main:
            self.told(None)
