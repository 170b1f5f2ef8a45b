"""TensorRT engines on an NVIDIA GPU: page-locked buffers, streams that overlap, and CUDA graphs.

The path of one call is in ``slot``, the order of calls in ``session``. docs/runtime.md draws both.
"""

from __future__ import annotations

from pathlib import Path

from edge_sr.backends.cuda_driver import CudaDevice, probe
from edge_sr.backends.trt.gpu import Gpu
from edge_sr.backends.trt.library import import_tensorrt, is_simulated
from edge_sr.backends.trt.session import EngineSession
from edge_sr.errors import IntegrityError, UsageError

__all__ = ["EngineSession", "TensorRT"]


class TensorRT:
    """buffers: sets of host and device memory; with two, the copies of one picture overlap the compute of another.

    zero_copy: the GPU works on page-locked host memory and nothing is copied. None takes it where the GPU shares the
    memory of the processor, as on a Jetson. cuda_graph: replay the engine's kernels by one launch, where cuda-python is
    installed. number: of the GPU.
    """

    name = "tensorrt"

    def __init__(
        self, *, buffers: int = 2, zero_copy: bool | None = None, cuda_graph: bool = True, number: int = 0
    ) -> None:
        if buffers < 1:
            raise UsageError(f"got {buffers} sets of buffers", expected="1 or more")
        self.gpu: CudaDevice = probe(number)  # before any TensorRT object
        self._trt = import_tensorrt()
        self._buffers, self._graphs, self._number = buffers, cuda_graph, number
        self.zero_copy = self.gpu.integrated if zero_copy is None else zero_copy

    @property
    def version(self) -> str:
        """E.g. ``"10.3.0, CUDA 12.6"``."""
        return f"{self._trt.__version__}, CUDA {self.gpu.cuda}"

    # What an engine depends on, beside the version.

    @property
    def device(self) -> str:
        return self.gpu.name

    @property
    def compute_capability(self) -> str:
        return self.gpu.compute_capability

    @property
    def sm_count(self) -> int:
        return self.gpu.sm_count

    @property
    def simulated(self) -> bool:
        """True on the tests' simulator: nothing that comes from it is a measurement."""
        return is_simulated(self._trt)

    def open(self, artifact: Path) -> EngineSession:
        """Load an engine. It is machine code: check its hash and owner before.

        IntegrityError where the file is missing or no engine for this GPU and TensorRT; EnvironmentFault where PyCUDA
        or memory is missing; DeviceLost where the GPU fails.
        """
        if not Path(artifact).is_file():
            raise IntegrityError("no such file", where=artifact, expected="a TensorRT engine")
        gpu = Gpu(self._number, artifact)
        return EngineSession(
            self._trt, gpu, Path(artifact), buffers=self._buffers, zero_copy=self.zero_copy, graphs=self._graphs
        )
