"""One set of buffers with its execution context: what a picture occupies from its copy in to its copy out."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_sr.backends.trt.gpu import Gpu
from edge_sr.backends.trt.graph import CaptureFailed, Graph
from edge_sr.backends.trt.library import Messages
from edge_sr.backends.trt.ports import Port, Shape
from edge_sr.backends.trt.spans import Span
from edge_sr.tensors import Tensors

if TYPE_CHECKING:
    import tensorrt as trt


@dataclass
class Buffer:
    """host: page-locked, flat, as large as it may get. device: copy of it on the GPU; None for zero-copy. shown: the
    part of host in use, in its present shape.
    """

    port: Port
    host: np.ndarray
    device: Any
    address: int
    shown: np.ndarray


class Streams:
    """Three queues of work. Copies have their own, so that they go on beside the compute.

    origin: an event before all work, from which a timeline counts; None where no times are taken.
    """

    def __init__(self, cuda: Any, *, timed: bool) -> None:
        self.copy_in, self.compute, self.copy_out = self.all = [cuda.Stream() for _ in range(3)]
        self.origin = cuda.Event(cuda.event_flags.DEFAULT).record(self.compute) if timed else None

    def release(self) -> None:
        """PyCUDA destroys a stream with its last reference, and slots refer to this object, not to streams."""
        self.copy_in = self.compute = self.copy_out = self.origin = None
        self.all = []


class Slot:
    """Each slot has its own execution context: its addresses never change, and a graph of it stays right whatever the
    other slots do. The price is one more scratch memory a slot.
    """

    def __init__(
        self,
        gpu: Gpu,
        engine: trt.ICudaEngine,
        streams: Streams,
        said: Messages,
        *,
        zero_copy: bool,
        graphs: ModuleType | None,
        timed: bool,
    ) -> None:
        """Inside ``with gpu``. said: what TensorRT tells. graphs: cuda-python's driver, None for no graphs. timed:
        whether the parts of a call are.
        """
        self._gpu, self._streams, self._said, self._zero_copy = gpu, streams, said, zero_copy
        self.graphs, self.graph_fault = graphs, ""
        self._buffers: list[Buffer] = []
        self._ins: list[Buffer] = []
        self._outs: list[Buffer] = []
        self._graph: Graph | None = None
        self._warm = False
        self._free: tuple[str, ...] = ()  # the inputs whose batch is
        self._shapes: dict[str, Shape] | None = None  # of those, as the context has them; None for unknown
        # Without copies there is one part. The end of the last is what the host waits for.
        names = ("compute",) if zero_copy else ("copy_in", "compute", "copy_out")
        self._spans = {name: Span(gpu.cuda, timed=timed) for name in names}
        self._timed = timed
        self._context = engine.create_execution_context()
        if self._context is None:
            raise gpu.lost(said.reason)

    def prepare(self, ports: tuple[Port, ...]) -> None:
        """Choose the profile, allocate for its largest shapes. Inside ``with gpu``; release() is right at any point."""
        # Only the first context of an engine takes profile 0 by itself.
        self._check(self._context.set_optimization_profile_async(0, self._streams.compute.handle))
        self._streams.compute.synchronize()
        most = {port.name: port.limits[-1] for port in ports if port.limits}
        self._tell_shapes(most)
        for port in ports:
            buffer = self._allocate(port, tuple(self._context.get_tensor_shape(port.name)))
            self._check(self._context.set_tensor_address(port.name, buffer.address))
            (self._ins if port.is_input else self._outs).append(buffer)
        self._shapes = most

    def _allocate(self, port: Port, shape: Shape) -> Buffer:
        cuda, size = self._gpu.cuda, prod(shape)
        flags = cuda.host_alloc_flags.DEVICEMAP if self._zero_copy else 0
        host = cuda.pagelocked_empty((size,), port.dtype, mem_flags=flags)
        buffer = Buffer(port, host, None, 0, host.reshape(shape))
        self._buffers.append(buffer)  # from here on release() knows of it
        if self._zero_copy:
            buffer.address = int(host.base.get_device_pointer())
        else:
            buffer.device = cuda.mem_alloc(host.nbytes)
            buffer.address = int(buffer.device)
        return buffer

    # one picture

    def submit(self, feeds: Tensors) -> None:
        """Queue everything for one call and return; the slot must be free. Inside ``with gpu``."""
        self._take_shapes(feeds)
        for buffer in self._ins:
            np.copyto(buffer.shown, feeds[buffer.port.name])
        if not self._zero_copy:
            self._copy_in()
        compute, stream = self._spans["compute"], self._streams.compute
        compute.begin(stream)
        self._enqueue()
        compute.end(stream)
        if not self._zero_copy:
            self._copy_out()

    def _copy_in(self) -> None:
        span, stream, copy = self._spans["copy_in"], self._streams.copy_in, self._gpu.cuda.memcpy_htod_async
        span.begin(stream)
        for buffer in self._ins:
            copy(buffer.device, buffer.shown, stream)
        span.end(stream)
        self._streams.compute.wait_for_event(span.ended)

    def _copy_out(self) -> None:
        span, stream, copy = self._spans["copy_out"], self._streams.copy_out, self._gpu.cuda.memcpy_dtoh_async
        stream.wait_for_event(self._spans["compute"].ended)
        span.begin(stream)
        for buffer in self._outs:
            copy(buffer.shown, buffer.device, stream)
        span.end(stream)

    def wait(self) -> None:
        """Until the results of the last submit lie in host memory. Inside ``with gpu``."""
        self._spans["compute" if self._zero_copy else "copy_out"].ended.synchronize()

    def times(self) -> dict[str, float]:
        """Milliseconds of each part; {} where they are not taken. Inside ``with gpu``, between wait and submit."""
        return {name: span.ms() for name, span in self._spans.items()} if self._timed else {}

    def timeline(self) -> dict[str, tuple[float, float]]:
        """Begin and end of each part, in ms since the streams were made, else as ``times``.

        CUDA counts in single precision: after a minute the steps are 4 microseconds wide.
        """
        origin = self._streams.origin
        return {name: span.since(origin) for name, span in self._spans.items()} if self._timed else {}

    def inputs(self) -> Mapping[str, np.ndarray]:
        """Page-locked memory as it was fed; only between wait and the next submit."""
        return {buffer.port.name: buffer.shown for buffer in self._ins}

    def outputs(self) -> Mapping[str, np.ndarray]:
        """Page-locked memory: copy it before the next submit."""
        return {buffer.port.name: buffer.shown for buffer in self._outs}

    @property
    def captured(self) -> bool:
        return self._graph is not None

    def _take_shapes(self, feeds: Tensors) -> None:
        """Nothing where the shapes are those of the last call; else the context learns them and the graph goes."""
        if self._shapes is not None and all(feeds[name].shape == shape for name, shape in self._shapes.items()):
            return
        shapes = {name: feeds[name].shape for name in self._free}
        self._shapes = None  # Ctrl-C may come in between: then all of this is done again
        self._drop_graph()
        self._tell_shapes(shapes)
        for buffer in self._buffers:
            shape = tuple(self._context.get_tensor_shape(buffer.port.name))
            buffer.shown = buffer.host[: prod(shape)].reshape(shape)
        self._shapes = shapes

    def _tell_shapes(self, shapes: dict[str, Shape]) -> None:
        self._free = tuple(shapes)
        for name, shape in shapes.items():
            self._check(self._context.set_input_shape(name, shape))
        self._check(not self._context.infer_shapes())

    def _enqueue(self) -> None:
        """Plainly the first time at these shapes, since TensorRT sets things up then; afterwards by a graph."""
        if self._graph is None and self._warm and self.graphs is not None:
            try:
                self._graph = Graph(self.graphs, self._streams.compute.handle, self._record)
            except CaptureFailed as error:
                self.graphs, self.graph_fault = None, str(error)
        if self._graph is None:
            self._execute()
            self._warm = True
        elif fault := self._graph.launch():
            raise self._gpu.lost(fault)

    def _execute(self) -> None:
        self._check(self._context.execute_async_v3(self._streams.compute.handle))

    def _record(self) -> None:
        """Some engines cannot be captured; they run plainly."""
        if not self._context.execute_async_v3(self._streams.compute.handle):
            raise CaptureFailed(self._said.reason)

    def _check(self, fine: bool) -> None:
        if not fine:
            raise self._gpu.lost(self._said.reason)

    def _drop_graph(self) -> None:
        self._warm = False
        if self._graph is not None:
            self._graph.close()
        self._graph = None

    def release(self) -> None:
        """Give everything back, whatever fails; all work must be over. Inside ``with gpu`` if that can be had."""
        self._drop_graph()
        self._context = None
        memories: list[Any] = [memory for buffer in self._buffers for memory in (buffer.device, buffer.host.base)]
        self._buffers, self._ins, self._outs = [], [], []
        for memory in memories:
            with contextlib.suppress(self._gpu.cuda.Error):
                if memory is not None:
                    memory.free()
        self._spans = {}
