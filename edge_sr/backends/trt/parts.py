"""What a session holds on the GPU, apart from the session, so that it can be given back when the session is gone."""

from __future__ import annotations

import contextlib
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from edge_sr.backends.trt.gpu import Gpu
from edge_sr.backends.trt.library import Messages, make_log
from edge_sr.backends.trt.ports import Port, load_engine
from edge_sr.backends.trt.slot import Slot, Streams
from edge_sr.errors import DeviceLost


class Parts:
    """log, runtime, engine, streams, slots: in this order they come, and the other way round they go."""

    def __init__(self, gpu: Gpu) -> None:
        self.gpu = gpu
        self.said = Messages()
        self.log: Any = None
        self.runtime: Any = None
        self.engine: Any = None
        self.streams: Streams | None = None
        self.slots: list[Slot] = []

    def open(self, library: ModuleType, artifact: Path, *, timed: bool) -> None:
        """Inside ``with gpu``. timed: see Streams."""
        self.log = make_log(library, self.said)
        self.runtime = library.Runtime(self.log)
        self.engine = load_engine(library, self.runtime, self.said, artifact)
        self.streams = Streams(self.gpu.cuda, timed=timed)

    def add_slot(self, ports: tuple[Port, ...], *, zero_copy: bool, graphs: ModuleType | None) -> None:
        """Inside ``with gpu``. graphs: see Slot."""
        streams = self.streams
        assert streams is not None, "open comes first"
        timed = streams.origin is not None
        slot = Slot(self.gpu, self.engine, streams, self.said, zero_copy=zero_copy, graphs=graphs, timed=timed)
        self.slots.append(slot)  # known here before it has work under way
        slot.prepare(ports)

    def drain(self) -> None:
        """Until nothing is under way. Inside ``with gpu``."""
        for stream in self.streams.all if self.streams is not None else []:
            with contextlib.suppress(self.gpu.cuda.Error):
                stream.synchronize()

    def release(self) -> None:
        """Give everything back, in any state, also of a lost device; a second call does nothing."""
        try:
            with contextlib.suppress(DeviceLost), self.gpu:
                self.drain()
                self._drop()
        finally:
            self._drop()  # a lost device lets nobody in; Python's own references go all the same
            self.gpu.release()

    def _drop(self) -> None:
        slots, self.slots = self.slots, []
        for slot in slots:
            slot.release()
        if self.streams is not None:
            self.streams.release()
        self.streams = None
        self.engine = None
        self.runtime = None
        self.log = None


def forget_frames(error: BaseException | None) -> None:
    """Let go of the variables that its traceback holds: an engine among them would outlive CUDA's context."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
