"""In which type the networks are computed while they train; weights, averages and losses stay float32."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from edge_sr.errors import UsageError

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


def dtype_of(precision: str, device: torch.device) -> torch.dtype:
    """The type that ``precision`` (see Schedule) means on a device.

    auto: what it is fast in. UsageError for fp16 on a CPU, which has no fast arithmetic for it.
    """
    if precision == "fp16" and device.type == "cpu":
        raise UsageError("fp16 training needs a GPU; this is a CPU", where="precision", expected="auto, bf16 or fp32")
    return fast_dtype(device) if precision == "auto" else DTYPES[precision]


def fast_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where tensor cores or AMX tiles compute it (elsewhere it is emulated), float16 on older GPUs."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return torch.bfloat16 if torch.cpu._is_amx_tile_supported() else torch.float32


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Compute in ``dtype`` what gains by it."""
    return nullcontext() if dtype is torch.float32 else torch.autocast(device.type, dtype=dtype)
