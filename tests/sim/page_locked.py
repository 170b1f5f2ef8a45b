"""Page-locked arrays that tell the machine whenever the host reads or writes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.sim.machine import Machine
from tests.sim.memory import Region


class HostAllocation:
    """What stands behind an array of ``pagelocked_empty``, as its ``base``."""

    def __init__(self, machine: Machine, region: Region) -> None:
        self._machine, self._region = machine, region

    def get_device_pointer(self) -> int:
        self._machine.call("get_device_pointer")
        if not self._region.device_address:
            self._machine.fault("get_device_pointer of page-locked memory that is not mapped")
        return self._region.device_address

    def free(self) -> None:
        self._machine.memory.free(self._region)
        self._machine.call("host free")


class PageLocked(np.ndarray):
    """Slices stay page-locked and touch nothing; what reads or writes elements is told to the machine."""

    allocation: HostAllocation | None
    region: Region
    machine: Machine

    @classmethod
    def empty(cls, machine: Machine, shape: tuple[int, ...], dtype: Any, *, mapped: bool) -> PageLocked:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        region = machine.memory.allocate("page-locked", size, mapped=mapped)
        array = region.bytes.view(dtype).reshape(shape).view(cls)
        array.machine, array.region = machine, region
        array.allocation = HostAllocation(machine, region)
        return array

    def __array_finalize__(self, source: Any) -> None:
        self.machine = getattr(source, "machine", None)  # type: ignore[assignment]
        self.region = getattr(source, "region", None)  # type: ignore[assignment]
        self.allocation = None

    @property
    def base(self) -> Any:  # type: ignore[override]
        return self.allocation if self.allocation is not None else super().base

    def span(self) -> tuple[int, int]:
        """Which bytes of the region it shows."""
        start = self.__array_interface__["data"][0] - self.region.bytes.__array_interface__["data"][0]
        return start, start + self.nbytes

    def plain(self, *, write: bool) -> np.ndarray:
        """The same memory as an ordinary array, once the machine knows of the access."""
        self.machine.host_touches(self.region, *self.span(), write)
        return self.view(np.ndarray)

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        return part if isinstance(part, PageLocked) else self.plain(write=False)[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        part = super().__getitem__(key)
        (part if isinstance(part, PageLocked) else self).plain(write=True)
        self.view(np.ndarray)[key] = _reads(value)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if "out" in options:
            options["out"] = tuple(out.plain(write=True) if _is(out) else out for out in options["out"])
        return getattr(ufunc, method)(*map(_reads, inputs), **options)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        if function is np.copyto and _is(args[0]):
            args = (args[0].plain(write=True), *args[1:])
        return function(*map(_reads, args), **{name: _reads(value) for name, value in kwargs.items()})

    def copy(self, order: Any = "C") -> Any:
        return self.plain(write=False).copy(order)

    def tobytes(self, order: Any = "C") -> bytes:
        return self.plain(write=False).tobytes(order)


def _is(value: Any) -> bool:
    return isinstance(value, PageLocked)


def _reads(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(map(_reads, value))
    return value.plain(write=False) if _is(value) else value
