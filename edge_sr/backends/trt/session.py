"""A TensorRT engine, ready to run: which slot a call takes, in which order results come, and how all of it ends."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

import numpy as np

from edge_sr.backends.base import check_out
from edge_sr.backends.trt.gpu import Gpu
from edge_sr.backends.trt.graph import import_cuda_python
from edge_sr.backends.trt.guard import check_outputs
from edge_sr.backends.trt.library import is_simulated
from edge_sr.backends.trt.parts import Parts, forget_frames
from edge_sr.backends.trt.ports import ports_of
from edge_sr.backends.trt.slot import Slot
from edge_sr.errors import AccuracyError, DeviceLost, EdgeSRError, EnvironmentFault, UsageError
from edge_sr.tensors import Tensors, check_feeds


class EngineSession:
    """See ``backends.base.Session``. Threads may share it; they take turns.

    zero_copy: whether the GPU works on host memory. simulated: whether it is the tests' stand-in. times: of the last
    picture that came back, in ms by CUDA's events; without copies there is "compute" alone, on the stand-in nothing.

    What ``run`` and ``stream`` give back are arrays of their own, or the caller's: page-locked memory never gets out. A
    feed beyond the engine's profile raises UsageError, NaN and the like in an output AccuracyError (and nothing is
    written), any failure of CUDA or TensorRT DeviceLost; that one stays: the process has to go.
    """

    def __init__(
        self,
        library: ModuleType,
        gpu: Gpu,
        artifact: Path,
        *,
        buffers: int,
        zero_copy: bool,
        graphs: bool,
        timed: bool = True,
    ) -> None:
        self.zero_copy, self.simulated = zero_copy, is_simulated(library)
        self.times: Mapping[str, float] = {}
        self._last: Slot | None = None  # whose picture came back last, until it takes another
        self._artifact, self._gpu, self._lock = artifact, gpu, threading.RLock()
        self._parts = Parts(gpu)
        self._lost = ""  # why the device is
        # Runs when the session is closed, collected, or left over as the interpreter exits.
        self._finalizer = weakref.finalize(self, self._parts.release)
        try:
            self._open(library, buffers, graphs, timed)
        except BaseException as error:
            forget_frames(error)
            self._finalizer()
            raise

    def _open(self, library: ModuleType, buffers: int, graphs: bool, timed: bool) -> None:
        parts = self._parts
        driver = import_cuda_python() if graphs else None
        self._no_graph = "not wanted" if not graphs else "" if driver else "cuda-python is not installed"
        try:
            with self._gpu:
                parts.open(library, self._artifact, timed=timed)
                ports = ports_of(library, parts.engine)
                for _ in range(buffers):
                    parts.add_slot(ports, zero_copy=self.zero_copy, graphs=driver)
        except DeviceLost as error:
            if isinstance(error.__cause__, self._gpu.cuda.MemoryError):
                hint = "stop other programs, or build for fewer pictures a call"
                raise EnvironmentFault("not enough GPU memory", where=self._artifact, hint=hint) from error
            raise
        self.inputs = tuple(port.spec for port in ports if port.is_input)
        self.outputs = tuple(port.spec for port in ports if not port.is_input)
        self._limits = {port.name: port.limits for port in ports if port.limits}
        self._free = deque(parts.slots)

    @property
    def batch(self) -> tuple[int, int, int]:
        """Least, tuned for and most pictures a call."""
        limits = next(iter(self._limits.values()), None)
        if limits is None:
            fixed = self.inputs[0].shape[0] if self.inputs[0].shape else 1
            return (int(fixed),) * 3
        return limits[0][0], limits[1][0], limits[2][0]

    @property
    def cuda_graph(self) -> str:
        """How kernels are launched: "captured", "after a warm-up" (not yet), or why there is no graph."""
        faults = [slot.graph_fault for slot in self._parts.slots if slot.graph_fault]
        if self._no_graph or faults:
            return self._no_graph or faults[0]
        return "captured" if any(slot.captured for slot in self._parts.slots) else "after a warm-up"

    # running

    def run(self, feeds: Tensors, *, out: Tensors | None = None) -> Tensors:
        with self._lock:
            check_out(self.outputs, out or {})
            return self._collect(self._submit(feeds), out or {})

    def stream(self, feeds: Iterable[Tensors]) -> Iterator[Tensors]:
        """Takes feeds ahead, one a set of buffers. Where a feed is unfit or its source fails, the results of those
        before it still come, then the error.
        """
        waiting: deque[Slot] = deque()
        failure: Exception | None = None
        source = iter(feeds)
        try:
            while failure is None:
                results: list[Tensors] = []
                try:
                    fed = next(source)
                    with self._lock:
                        waiting.append(self._submit(fed))
                        while not self._free:  # whoever calls next finds a free slot
                            results.append(self._collect(waiting.popleft(), {}))
                except StopIteration:
                    break
                except (DeviceLost, AccuracyError):
                    raise
                except Exception as error:
                    failure = error
                yield from results
            while waiting:
                yield self._collect(waiting.popleft(), {})
            if failure is not None:
                raise failure
        finally:
            self._abandon(waiting)

    def _submit(self, feeds: Tensors) -> Slot:
        with self._lock:
            self._check_usable()
            check_feeds(self.inputs, feeds)
            self._check_batch(feeds)
            if not self._free:
                raise EdgeSRError("every set of buffers is in use", where=self._artifact, hint="close other streams")
            slot = self._free.popleft()
            if slot is self._last:
                self._last = None
            try:
                with self._watched(), self._gpu:
                    slot.submit(feeds)
            except BaseException:
                self._free.append(slot)
                raise
            return slot

    def _collect(self, slot: Slot, out: Tensors) -> Tensors:
        """The results, copied into ``out`` where it has an array for them; the slot is free afterwards."""
        with self._lock:
            self._check_usable()
            try:
                with self._watched(), self._gpu:
                    slot.wait()
                    times = slot.times()
                outputs = slot.outputs()
                check_outputs(outputs, slot.inputs(), self._artifact)
                results = {name: _copied(name, output, out.get(name)) for name, output in outputs.items()}
            finally:
                self._free.append(slot)
            self._last, self.times = slot, {} if self.simulated else times  # the stand-in counts steps, not time
            return results

    def timeline(self) -> Mapping[str, tuple[float, float]]:
        """Begin and end of each part of the picture that came back last, in ms since the session was opened.

        It shows what overlaps. {} where no times are taken, and once the picture's buffers were taken for another.
        """
        with self._lock:
            self._check_usable()
            if self._last is None:
                return {}
            with self._watched(), self._gpu:
                return self._last.timeline()

    def _abandon(self, waiting: deque[Slot]) -> None:
        """A stream ends early: its slots are free once their work is over."""
        with self._lock:
            if self._lost or not self._finalizer.alive:
                return
            for slot in waiting:
                with self._watched(), self._gpu:
                    slot.wait()
                self._free.append(slot)

    def _check_usable(self) -> None:
        if not self._finalizer.alive:
            raise EdgeSRError("session is closed", where=self._artifact)
        if self._lost:
            raise self._gpu.lost(self._lost)

    def _check_batch(self, feeds: Tensors) -> None:
        sizes = {name: feeds[name].shape[0] for name in self._limits}
        for name, size in sizes.items():
            least, _, most = (shape[0] for shape in self._limits[name])
            if not least <= size <= most:
                what = f"{name} has a batch of {size}, outside the engine's profile"
                hint = "feed fewer pictures a call, or build with another --batch"
                raise UsageError(what, where=self._artifact, expected=f"{least} to {most}", hint=hint)
        if len(set(sizes.values())) > 1:
            raise EdgeSRError(f"the batches differ: {sizes}", where=self._artifact)

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Remember a lost device. Whatever else goes wrong inside, the work of all slots is over afterwards."""
        try:
            yield
        except DeviceLost as error:
            self._lost = error.what
            raise
        except BaseException:  # Ctrl-C: nobody knows how much is queued
            with self._gpu:
                self._parts.drain()
            raise

    # the end

    def close(self) -> None:
        with self._lock:
            self._finalizer()

    def __enter__(self) -> EngineSession:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _copied(name: str, output: np.ndarray, into: np.ndarray | None) -> np.ndarray:
    """One copy out of page-locked memory."""
    if into is None:
        into = np.empty(output.shape, output.dtype)
    elif into.shape != output.shape:
        what = f"cannot take an output in {list(into.shape)}"
        raise EdgeSRError(what, where=name, expected=str(list(output.shape)))
    np.copyto(into, output)
    return into
