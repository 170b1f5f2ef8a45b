"""Kernels of the simulated GPU: whoever loads a module says in numpy what its functions do.

The machine code itself is not run, so this shows that a program launches its kernels with the right arguments, in the
right order and on memory that is theirs, and nothing of the kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tests.sim.machine import Machine, Stream


@dataclass(frozen=True)
class Array:
    """An argument that is an address: of so many values, which the kernel only reads, or changes."""

    address: int
    count: int
    written: bool
    dtype: type = np.float32


@dataclass(frozen=True)
class Kernel:
    """arrays: the arguments of a launch -> those that are addresses, which come first. compute: does the work, given
    the number of threads, the arrays, and the other arguments; what has no thread has to stay undone.
    """

    arrays: Callable[..., Sequence[Array]]
    compute: Callable[..., None]


def launch(machine: Machine, name: str, threads: int, stream: Stream, arguments: Sequence[Any]) -> None:
    """Queue it, with all it touches."""
    kernel, views, touches = machine.kernels[name], [], []
    for array in kernel.arrays(*arguments):
        size = array.count * np.dtype(array.dtype).itemsize
        region, at = machine.memory.find(array.address, size, f"{name}()")
        views.append(region.bytes[at : at + size].view(array.dtype))
        touches.append((region, at, at + size, array.written))
    numbers = arguments[len(views) :]
    machine.queue(stream, f"{name}()", lambda: kernel.compute(threads, *views, *numbers), touches)
