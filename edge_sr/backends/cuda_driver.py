"""What the CUDA driver says of a GPU, asked by ctypes before TensorRT is touched.

TensorRT's Runtime without a driver logs an error and crashes the process at its next call, so nobody may make a
TensorRT object before ``probe`` came back. It needs neither tensorrt nor pycuda.
"""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_sr.errors import EnvironmentFault

_LIBRARY = "libcuda.so.1"  # comes with the driver, not with the toolkit
_OUT_OF_MEMORY = 2
# CUdevice_attribute, https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__TYPES.html
_MULTIPROCESSOR_COUNT, _INTEGRATED, _MAJOR, _MINOR = 16, 18, 75, 76


@dataclass(frozen=True)
class CudaDevice:
    """One GPU.

    cuda: version that the driver supports, e.g. "12.6". integrated: it shares the memory of the processor.
    compute_capability: e.g. "8.7". memory_mib: all of it, used or not.
    """

    name: str
    cuda: str
    integrated: bool
    compute_capability: str
    sm_count: int
    memory_mib: int


def load_library() -> Any:
    """The driver's library. EnvironmentFault where there is none."""
    try:
        return ctypes.CDLL(_LIBRARY)
    except OSError as error:
        hint = "install the NVIDIA driver, or --backend onnxruntime"
        raise EnvironmentFault(f"no CUDA driver: {error}", hint=hint) from error


def probe(index: int = 0) -> CudaDevice:
    """The GPU of that number. EnvironmentFault where the driver is missing, does not start or sees no such GPU."""
    cuda = load_library()
    _check(cuda, "cuInit", 0)
    count = _integer(cuda, "cuDeviceGetCount")
    if index >= count:
        raise EnvironmentFault(f"CUDA sees {count} GPUs", expected=f"at least {index + 1}", hint="nvidia-smi")
    device = _integer(cuda, "cuDeviceGet", index)
    version = _integer(cuda, "cuDriverGetVersion")
    major, minor = (_attribute(cuda, attribute, device) for attribute in (_MAJOR, _MINOR))
    return CudaDevice(
        name=_name(cuda, device),
        cuda=f"{version // 1000}.{version % 1000 // 10}",
        integrated=bool(_attribute(cuda, _INTEGRATED, device)),
        compute_capability=f"{major}.{minor}",
        sm_count=_attribute(cuda, _MULTIPROCESSOR_COUNT, device),
        memory_mib=_total_mib(cuda, device),
    )


def free_mib(device: CudaDevice, index: int = 0) -> int:
    """MiB that could be allocated on the GPU now."""
    cuda = load_library()
    _check(cuda, "cuInit", 0)
    handle, context = _integer(cuda, "cuDeviceGet", index), ctypes.c_void_p()
    _check(cuda, "cuDevicePrimaryCtxRetain", ctypes.byref(context), handle)
    try:
        _check(cuda, "cuCtxPushCurrent_v2", context)
        try:
            free, total = ctypes.c_size_t(), ctypes.c_size_t()
            _check(cuda, "cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
        finally:
            _check(cuda, "cuCtxPopCurrent_v2", ctypes.byref(ctypes.c_void_p()))
    finally:
        _check(cuda, "cuDevicePrimaryCtxRelease_v2", handle)
    # On a Jetson CUDA counts pages that hold cached files as used, and the kernel gives those up when asked.
    return max(free.value >> 20, _available_mib() if device.integrated else 0)


def pop_context() -> None:
    """Take the innermost context off this thread's stack, whatever CUDA thinks of it."""
    load_library().cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))


def release_primary_context(index: int) -> None:
    """Undo one retain of it, whatever CUDA thinks of that."""
    load_library().cuDevicePrimaryCtxRelease_v2(index)


def _available_mib() -> int:
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB$", Path("/proc/meminfo").read_text("utf-8"), re.MULTILINE)
    except OSError:
        return 0
    return int(found.group(1)) // 1024 if found else 0


def _attribute(cuda: Any, attribute: int, device: int) -> int:
    return _integer(cuda, "cuDeviceGetAttribute", attribute, device)


def _integer(cuda: Any, function: str, *arguments: int) -> int:
    """What the function writes into its first argument."""
    value = ctypes.c_int()
    _check(cuda, function, ctypes.byref(value), *arguments)
    return value.value


def _name(cuda: Any, device: int) -> str:
    text = ctypes.create_string_buffer(256)
    _check(cuda, "cuDeviceGetName", text, len(text), device)
    return text.value.decode(errors="replace")


def _total_mib(cuda: Any, device: int) -> int:
    total = ctypes.c_size_t()
    _check(cuda, "cuDeviceTotalMem_v2", ctypes.byref(total), device)
    return total.value >> 20


def _check(cuda: Any, function: str, *arguments: Any) -> None:
    """Call it; EnvironmentFault where it returns anything but CUDA_SUCCESS."""
    result = getattr(cuda, function)(*arguments)
    if result == 0:
        return
    text = ctypes.c_char_p()
    cuda.cuGetErrorString(result, ctypes.byref(text))
    reason = (text.value or b"unknown error").decode(errors="replace")
    hint = "stop other programs that use the GPU" if result == _OUT_OF_MEMORY else "nvidia-smi, and a reboot"
    raise EnvironmentFault(f"CUDA does not start: {function} says {reason!r} ({result})", hint=hint)
