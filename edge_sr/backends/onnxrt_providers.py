"""What ONNX Runtime computes on: its execution providers, their options, and what is missing where one cannot start.

The CUDA provider was tried against a stand-in alone, never on a GPU.
"""

from __future__ import annotations

import contextlib
import io
from types import ModuleType
from typing import Any

from edge_sr.backends.cuda_driver import probe
from edge_sr.errors import EnvironmentFault, UsageError

PROVIDERS = ("cpu", "cuda")
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"

# https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html#configuration-options
CUDA_OPTIONS = {
    "use_tf32": "0",  # on by default: convolutions would keep 10 of float32's 23 bits, and 16-bit pictures need more
    "cudnn_conv_algo_search": "HEURISTIC",  # the default times them, so two runs may differ in their last bits
    "arena_extend_strategy": "kSameAsRequested",  # the default doubles, and a board's GPU takes that from everyone
}
ANOTHER_PACKAGE = 'pip uninstall -y onnxruntime && pip install "onnxruntime-gpu[cuda,cudnn]", or --provider cpu'


def check_provider(ort: ModuleType, provider: str) -> None:
    """UsageError for a name that is none; EnvironmentFault, with what to type, where it cannot start here."""
    if provider not in PROVIDERS:
        raise UsageError(f"no such provider: {provider}", expected=" or ".join(PROVIDERS))
    if provider != "cuda":
        return
    if CUDA not in ort.get_available_providers():
        raise EnvironmentFault(f"onnxruntime {ort.__version__} was built without CUDA", hint=ANOTHER_PACKAGE)
    try:
        probe()
    except EnvironmentFault as fault:
        raise EnvironmentFault(fault.what, hint="nvidia-smi, or --provider cpu") from fault
    if hasattr(ort, "preload_dlls"):  # from 1.21 on: CUDA's libraries out of pip's packages
        with contextlib.redirect_stdout(io.StringIO()):  # what it misses check_started tells
            ort.preload_dlls()


def listed(provider: str) -> list[Any]:
    """As InferenceSession takes them: CUDA leaves to the CPU what it has no kernel for."""
    return [(CUDA, dict(CUDA_OPTIONS)), CPU] if provider == "cuda" else [CPU]


def check_started(session: Any, provider: str) -> None:
    """EnvironmentFault where ONNX Runtime went on without the provider, which it does with no more than a log line."""
    if provider == "cuda" and CUDA not in session.get_providers():
        what = (
            "ONNX Runtime's CUDA provider does not start: libraries of CUDA or cuDNN are missing, or not of its version"
        )
        raise EnvironmentFault(what, hint='pip install "onnxruntime-gpu[cuda,cudnn]", or --provider cpu')
