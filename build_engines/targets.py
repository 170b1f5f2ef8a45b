"""The targets by name; the one place where the two runtimes stand side by side."""

from __future__ import annotations

from build_engines.compile_onnxrt import OnnxRuntimeTarget
from build_engines.target import Target
from edge_sr.backends.onnxrt import OnnxRuntime

BACKENDS = ("onnxruntime", "tensorrt")


def target_of(name: str | None, *, batch: int = 8, workspace_mib: int = 1024, threads: int | None = None) -> Target:
    """None takes TensorRT where there is a GPU for it, else ONNX Runtime.

    batch, workspace_mib: of TensorRT. threads: of ONNX Runtime; None takes all cores. EnvironmentFault where the
    runtime that was asked for is not there.
    """
    return OnnxRuntimeTarget(OnnxRuntime(threads, spinning=False))
