"""TensorRT engines on an NVIDIA GPU: page-locked buffers, streams that overlap, and CUDA graphs.

The path of one call is in ``slot``, the order of calls in ``session``. docs/runtime.md draws both.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge_sr.backends.cuda_driver import CudaDevice, probe
from edge_sr.backends.trt.gpu import Gpu
from edge_sr.backends.trt.library import import_tensorrt, is_simulated
from edge_sr.backends.trt.session import EngineSession
from edge_sr.errors import IntegrityError, UsageError

if TYPE_CHECKING:
    from edge_sr.backends.trt.host_memory import HostMemory

__all__ = ["EngineSession", "TensorRT"]


class TensorRT:
    """buffers: sets of host and device memory; with two, the copies of one picture overlap the compute of another.

    zero_copy: the GPU works on page-locked host memory and nothing is copied. None takes what was faster when it was
    ``measured`` on this GPU, and where it was not, zero-copy if the GPU shares the memory of the processor, as on a
    Jetson. cuda_graph: replay the engine's kernels by one launch, where cuda-python is installed. timed: take the times
    of copies and compute, see ``EngineSession.times``. number: of the GPU.
    """

    name = "tensorrt"

    def __init__(
        self,
        *,
        buffers: int = 2,
        zero_copy: bool | None = None,
        measured: HostMemory | None = None,
        cuda_graph: bool = True,
        timed: bool = True,
        number: int = 0,
    ) -> None:
        if buffers < 1:
            raise UsageError(f"got {buffers} sets of buffers", expected="1 or more")
        self.gpu: CudaDevice = probe(number)  # before any TensorRT object
        self._trt = import_tensorrt()
        self._buffers, self._graphs, self._timed, self._number = buffers, cuda_graph, timed, number
        self.zero_copy, self._reason = self._host_memory(zero_copy, measured)

    def _host_memory(self, asked: bool | None, measured: HostMemory | None) -> tuple[bool, str]:
        """Whether nothing is copied, and why that is so."""
        if asked is not None:
            return asked, "as asked for"
        if measured is not None and (measured.device, measured.simulated) == (self.gpu.name, self.simulated):
            return measured.zero_copy, measured.told
        if self.gpu.integrated:
            return True, "the GPU shares the processor's memory; not measured"
        return False, "the GPU has a memory of its own; not measured"

    @property
    def host_memory(self) -> str:
        """Whether pictures are copied to the GPU, and why, e.g. ``"copies: as asked for"``."""
        return f"{'zero-copy' if self.zero_copy else 'copies'}: {self._reason}"

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
        return EngineSession(
            self._trt,
            Gpu(self._number, artifact),
            Path(artifact),
            buffers=self._buffers,
            zero_copy=self.zero_copy,
            graphs=self._graphs,
            timed=self._timed,
        )
