"""The part of ``pycuda.driver`` that edge-sr uses, on a simulated machine. Names and arguments are PyCUDA's."""

from __future__ import annotations

import math
import struct
import threading
from types import ModuleType
from typing import Any

import numpy as np

from tests.sim import page_locked
from tests.sim.kernels import launch
from tests.sim.machine import Machine
from tests.sim.memory import Region


class Error(Exception):
    """Base of PyCUDA's errors."""


class LogicError(Error):
    """Also: device lost, in every call after it."""


class MemoryError(Error): ...


class LaunchError(Error): ...


class RuntimeError(Error): ...


class device_attribute:  # noqa: N801
    INTEGRATED = "INTEGRATED"
    CAN_MAP_HOST_MEMORY = "CAN_MAP_HOST_MEMORY"


class host_alloc_flags:  # noqa: N801
    PORTABLE, DEVICEMAP, WRITECOMBINED = 1, 2, 4


class event_flags:  # noqa: N801
    DEFAULT, BLOCKING_SYNC, DISABLE_TIMING = 0, 1, 2


def make_module(machine: Machine) -> ModuleType:
    """``pycuda.driver`` for one machine."""

    def call(name: str, *, in_capture: bool = False) -> None:
        if not machine.call(name, in_capture=in_capture):
            raise LogicError(f"{name} failed: the launch timed out and was terminated")

    def current(name: str, *, in_capture: bool = False) -> None:
        call(name, in_capture=in_capture)
        if not machine.contexts:
            raise LogicError(f"{name} failed: invalid device context")

    class Context:
        """As in pycuda 2026.1, src/cpp/cuda.hpp: PyCUDA has a stack of its own beside the one of CUDA."""

        def __init__(self) -> None:
            self._thread = threading.get_ident()

        def push(self) -> None:
            call("push", in_capture=True)
            if stack():
                machine.contexts.pop()
            machine.contexts.append(self)
            stack().append(self)

        @staticmethod
        def pop() -> None:
            if not stack():
                raise LogicError("context::pop failed: cannot pop non-current context")
            machine.contexts.pop()
            stack().pop()
            if stack():
                machine.contexts.append(stack()[-1])
            call("pop", in_capture=True)

        def detach(self) -> None:
            if threading.get_ident() == self._thread:
                if not stack() or stack()[-1] is not self:
                    machine.contexts.append(self)  # and, for a primary context, nobody pops it
                while stack() and stack()[-1] is self:
                    stack().pop()
                machine.retained -= 1
            call("detach")

    stacks: dict[int, list[Context]] = {}

    def stack() -> list[Context]:
        return stacks.setdefault(threading.get_ident(), [])

    class Device:
        def __init__(self, number: int) -> None:
            call("Device")
            self._number = number

        def retain_primary_context(self) -> Context:
            call("retain_primary_context")
            machine.retained += 1
            return Context()

        def get_attribute(self, attribute: str) -> int:
            call("get_attribute")
            return {"INTEGRATED": int(machine.integrated), "CAN_MAP_HOST_MEMORY": 1}[attribute]

    class Stream:
        def __init__(self, flags: int = 0) -> None:
            current("Stream")
            self._stream = machine.new_stream()

        @property
        def handle(self) -> int:
            return self._stream.actor

        def synchronize(self) -> None:
            current("Stream.synchronize")
            machine.synchronize_stream(self._stream)

        def wait_for_event(self, event: Event) -> None:
            current("Stream.wait_for_event", in_capture=True)
            machine.wait(self._stream, event._event)

        def __del__(self) -> None:
            if stream := getattr(self, "_stream", None):
                machine.drop_stream(stream)

    class Event:
        def __init__(self, flags: int = 0) -> None:
            current("Event")
            self._event = machine.new_event(timed=not flags & event_flags.DISABLE_TIMING)

        def record(self, stream: Stream | None = None) -> Event:
            current("Event.record", in_capture=True)
            machine.record(self._event, _stream(stream, "an event is recorded"))
            return self

        def synchronize(self) -> Event:
            current("Event.synchronize")
            machine.synchronize_event(self._event)
            return self

        def query(self) -> bool:
            current("Event.query")
            return machine.query(self._event)

        def time_since(self, start: Event) -> float:
            current("Event.time_since")
            return machine.elapsed(start._event, self._event)

        def __del__(self) -> None:
            machine.events = [event for event in machine.events if event is not getattr(self, "_event", None)]

    class DeviceAllocation:
        def __init__(self, region: Region) -> None:
            self._region = region

        def __int__(self) -> int:
            return self._region.device_address

        __index__ = __int__

        def free(self) -> None:
            machine.memory.free(self._region)
            call("free")

    def _stream(stream: Stream | None, what: str) -> Any:
        return machine.stream_of(stream.handle if stream is not None else 0, what)

    def init(flags: int = 0) -> None:
        call("init")

    def mem_alloc(bytes: int) -> DeviceAllocation:
        current("mem_alloc")
        if bytes <= 0:
            raise LogicError("cuMemAlloc failed: invalid argument")
        if bytes > machine.free_mib << 20:
            raise MemoryError("cuMemAlloc failed: out of memory")
        return DeviceAllocation(machine.memory.allocate("device", bytes))

    def pagelocked_empty(shape: Any, dtype: Any, order: str = "C", mem_flags: int = 0) -> np.ndarray:
        current("pagelocked_empty")
        if math.prod(shape) * np.dtype(dtype).itemsize == 0:
            raise LogicError("cuMemHostAlloc failed: invalid argument")
        mapped = bool(mem_flags & host_alloc_flags.DEVICEMAP)
        return page_locked.PageLocked.empty(machine, tuple(shape), dtype, mapped=mapped)

    def memcpy_htod_async(dest: Any, src: Any, stream: Stream | None = None) -> None:
        current("memcpy_htod_async")
        _copy(src, int(dest), stream, "a copy in", out=False)

    def memcpy_dtoh_async(dest: Any, src: Any, stream: Stream | None = None) -> None:
        current("memcpy_dtoh_async")
        _copy(dest, int(src), stream, "a copy out", out=True)

    def _copy(host: Any, address: int, stream: Stream | None, what: str, *, out: bool) -> None:
        if not isinstance(host, page_locked.PageLocked):
            machine.fault(f"{what} uses host memory that is not page-locked")
        low, high = host.span()
        region, offset = machine.memory.find(address, high - low, what)
        device, pinned = region.bytes[offset : offset + high - low], host.region.bytes[low:high]
        expected = pinned.copy()

        def run() -> None:
            if out:
                pinned[:] = device
            else:
                if not np.array_equal(expected, pinned):
                    machine.fault("the host changed page-locked memory while a copy in could still read it")
                device[:] = pinned

        touches = [(host.region, low, high, out), (region, offset, offset + high - low, not out)]
        machine.queue(_stream(stream, what), what, run, touches)

    class Function:
        def __init__(self, name: str) -> None:
            self._name = name
            self._format = ""

        def prepare(self, arg_types: str, texrefs: Any = None) -> Function:
            self._format = arg_types
            return self

        def prepared_async_call(self, grid: Any, block: Any, stream: Stream | None, *args: Any, **kwargs: Any) -> None:
            current("prepared_async_call", in_capture=True)
            struct.pack(self._format, *args)  # as PyCUDA does: too many, too few, or one that is no such number
            launch(machine, self._name, math.prod(grid) * math.prod(block), _stream(stream, f"{self._name}()"), args)

    class Module:
        def __init__(self, source: str) -> None:
            self._source = source

        def get_function(self, name: str) -> Function:
            current("get_function")
            if f".entry {name}(" not in self._source:
                raise LogicError("cuModuleGetFunction failed: named symbol not found")
            return Function(name)

    def module_from_buffer(buffer: bytes, options: Any = (), message_handler: Any = None) -> Module:
        current("module_from_buffer")
        return Module(bytes(buffer).decode())

    module = ModuleType("pycuda.driver")
    module.__simulated__ = True  # type: ignore[attr-defined]
    shared = (
        Error,
        LogicError,
        MemoryError,
        LaunchError,
        RuntimeError,
        device_attribute,
        host_alloc_flags,
        event_flags,
    )
    functions = (init, mem_alloc, pagelocked_empty, memcpy_htod_async, memcpy_dtoh_async, module_from_buffer)
    for member in (*shared, Context, Device, Stream, Event, Module, Function, *functions):
        setattr(module, member.__name__, member)
    module.HostAllocation = page_locked.HostAllocation  # type: ignore[attr-defined]
    return module
