"""The targets by name; the one place where the two runtimes stand side by side."""

from __future__ import annotations

from pathlib import Path

from build_engines.targets.base import Target
from build_engines.targets.onnxrt import OnnxRuntimeTarget
from build_engines.targets.trt_options import TrtOptions
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.errors import EnvironmentFault

BACKENDS = ("onnxruntime", "tensorrt")


def target_of(
    name: str | None, *, cache: Path, batch: int = 8, workspace_mib: int = 1024, threads: int | None = None
) -> Target:
    """None takes TensorRT where there is a GPU for it, else ONNX Runtime.

    batch, workspace_mib: of TensorRT. threads: of ONNX Runtime; None takes all cores. EnvironmentFault where the
    runtime that was asked for is not there.
    """
    if name != "onnxruntime":
        try:
            return _tensorrt(cache, TrtOptions((1, 1, batch), workspace_mib))
        except EnvironmentFault:
            if name == "tensorrt":
                raise
    return OnnxRuntimeTarget(OnnxRuntime(threads, spinning=False))


def _tensorrt(cache: Path, options: TrtOptions) -> Target:
    # Imported here: a device of which only the CPU is used has none of it.
    from build_engines.targets.tensorrt import TensorRTTarget
    from edge_sr.backends.trt import TensorRT

    return TensorRTTarget(TensorRT(), options, cache)
