"""What learns: networks, their running average, and the optimiser's moments; all that a checkpoint has to hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from host_training.loop.precision import autocast, dtype_of
from host_training.loop.processes import Processes
from host_training.loop.schedule import Schedule
from host_training.loop.tensor_files import part_of
from host_training.nets.blocks import channels_last

LEAST_LOSS_SCALE = 1.0  # float16 gradients that overflow even at this are not too large for float16 but wrong


class Learner:
    """Networks on this process's device, with the first weights of the main process.

    average: the exponential moving average of everything in ``networks.state_dict()``, by name.

    Raises UsageError for fp16 on a CPU.
    """

    def __init__(self, networks: Mapping[str, nn.Module], schedule: Schedule, processes: Processes) -> None:
        self.schedule, self.processes, self.device = schedule, processes, processes.device
        self.dtype = dtype_of(schedule.precision, self.device)
        self.networks = nn.ModuleDict(dict(networks))
        self.networks.to(self.device)
        channels_last(self.networks)
        processes.spread(self.networks.state_dict().values())
        self.average = {name: value.detach().clone() for name, value in self.networks.state_dict().items()}
        self.optimiser = torch.optim.AdamW(
            self.networks.parameters(),
            lr=schedule.learning_rate,
            betas=(0.9, schedule.beta2),
            weight_decay=schedule.weight_decay,
        )
        # float16 has no small numbers: the loss is scaled up, as far as its gradients allow (arXiv 1710.03740)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype is torch.float16)

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of one part's loss."""
        self.scaler.scale(loss / self.schedule.accumulate).backward()

    def settle_gradient(self) -> float:
        """Average the gradient over the processes and clip it; its norm before clipping."""
        parameters = list(self.networks.parameters())
        # Which weights a step leaves alone is the same in all processes: that depends on the step, not on the samples.
        self.processes.average([weight.grad for weight in parameters if weight.grad is not None])
        self.scaler.unscale_(self.optimiser)
        return float(nn.utils.clip_grad_norm_(parameters, self.schedule.clip))

    @property
    def overflow_is_normal(self) -> bool:
        """Whether a gradient that is not finite only says that the loss was scaled up too far."""
        return self.scaler.is_enabled() and self.scaler.get_scale() > LEAST_LOSS_SCALE

    def update(self, step: int) -> None:
        """Change the weights by the settled gradient of this step, then their average.

        The scaler leaves the weights as they are, and scales less, where float16 overflowed.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = self.schedule.rate(step)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.optimiser.zero_grad()
        self.update_average(step + 1)

    @torch.no_grad()
    def update_average(self, steps: int) -> None:
        """Exponential moving average, shorter while there is little to average: ``steps`` updates so far."""
        decay = min(self.schedule.ema, (1 + steps) / (10 + steps))
        for name, value in self.networks.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - decay)
            else:  # a counter
                self.average[name].copy_(value)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The averaged weights in place of the current ones, in the training's precision, without gradients.

        In evaluation mode: BatchNorm uses what it has gathered and gathers nothing.
        """
        current = {name: value.clone() for name, value in self.networks.state_dict().items()}
        training = [module for module in self.networks.modules() if module.training]
        self.networks.load_state_dict(self.average)
        self.networks.eval()
        try:
            with torch.no_grad(), autocast(self.device, self.dtype):
                yield
        finally:
            self.networks.load_state_dict(current)
            for module in training:
                module.training = True

    def tensors(self) -> dict[str, Tensor]:
        """``weights.*``, ``average.*`` and ``optimiser.*``."""
        tensors = {f"weights.{k}": v for k, v in self.networks.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.items()}
        for index, moments in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{k}": torch.as_tensor(v) for k, v in moments.items()}
        return tensors

    def loss_scale(self) -> str:
        """The scaler's state as JSON; all its numbers are powers of two or counts."""
        return json.dumps(self.scaler.state_dict())

    def restore(self, tensors: Mapping[str, Tensor], loss_scale: str) -> None:
        """Go on from what ``tensors`` and ``loss_scale`` gave. RuntimeError where they are of other networks."""
        self.networks.load_state_dict(part_of(tensors, "weights"))
        self.average = {k: v.to(self.device) for k, v in part_of(tensors, "average").items()}
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in part_of(tensors, "optimiser").items():
            index, key = name.split(".")
            moments.setdefault(int(index), {})[key] = value
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": moments})
        if (state := json.loads(loss_scale)) and self.scaler.is_enabled():
            self.scaler.load_state_dict(state)
