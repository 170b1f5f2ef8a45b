"""Processor, memory and board, from the text files in which Linux tells them.

The functions that parse take the text, so that they can be tried on any machine; ``read_facts`` alone opens files.
What a system does not tell is None, never 0 and never a guess.
"""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

# Instructions that multiply 8-bit integers and add up in 32 bits: where int8 networks gain speed.
# Names as in Linux: arch/x86/include/asm/cpufeatures.h and arch/arm64/kernel/cpuinfo.c.
INT8_FEATURES = ("avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")

# Instructions by which ONNX Runtime chooses its kernels, and with them the memory layout that it writes into a model it
# has optimised (onnxruntime/core/mlas/lib/platform.cpp, onnxruntime/core/common/cpuid_info.cc).
VECTOR_FEATURES = {
    *("avx", "avx2", "fma", "f16c", "avx_vnni", "avx_vnni_int8", "avx_ne_convert"),
    *("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16"),
    *("asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "svei8mm", "sme", "sme2"),
}


@dataclass(frozen=True)
class DeviceFacts:
    """One machine.

    cpu_features: those of INT8_FEATURES that the processor has; None where the system does not tell.
    cores: those that this process may use.
    instructions: those of VECTOR_FEATURES that the processor has, sorted; None where the system does not tell.
    available_mib: of memory_mib, what programs could take now without swapping.
    """

    board: str | None
    machine: str
    system: str
    cpu_model: str | None
    cpu_features: tuple[str, ...] | None
    cores: int
    memory_mib: int | None
    instructions: tuple[str, ...] | None = None
    available_mib: int | None = None


def _fields(cpuinfo: str, name: str) -> list[str]:
    """Values of all lines ``name : value`` of /proc/cpuinfo, one a core."""
    return re.findall(rf"^{re.escape(name)}[ \t]*:[ \t]*(.*)$", cpuinfo, re.MULTILINE)


def cpu_model(cpuinfo: str) -> str | None:
    """Name of the processor; arm64 kernels tell none."""
    names = _fields(cpuinfo, "model name")
    return names[0].strip() if names else None


def cpu_features(cpuinfo: str) -> tuple[str, ...] | None:
    """Those of INT8_FEATURES that every core has; None where the text lists no features."""
    common = _common_features(cpuinfo)
    return None if common is None else tuple(name for name in INT8_FEATURES if name in common)


def instructions(cpuinfo: str) -> tuple[str, ...] | None:
    """Those of VECTOR_FEATURES that every core has, sorted; None where the text lists no features."""
    common = _common_features(cpuinfo)
    return None if common is None else tuple(sorted(VECTOR_FEATURES & common))


def _common_features(cpuinfo: str) -> set[str] | None:
    """x86 writes ``flags``, arm64 ``Features``. The cores of a big.LITTLE board may differ."""
    lines = _fields(cpuinfo, "flags") or _fields(cpuinfo, "Features")
    return set.intersection(*(set(line.split()) for line in lines)) if lines else None


def memory_mib(meminfo: str, entry: str = "MemTotal") -> int | None:
    """Memory of the machine in MiB, from /proc/meminfo (its "kB" are KiB, proc(5))."""
    found = re.search(rf"^{entry}:\s+(\d+) kB$", meminfo, re.MULTILINE)
    return int(found.group(1)) // 1024 if found else None


def board_name(model: str) -> str | None:
    """Name of the board from the device tree's ``model``, which ends in NUL; None for ""."""
    return model.rstrip("\0").strip() or None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def read_facts(root: Path = Path("/")) -> DeviceFacts:
    """The machine that this process runs on. root: of the file system; another one in tests."""
    cpuinfo, meminfo = _text(root / "proc/cpuinfo"), _text(root / "proc/meminfo")
    return DeviceFacts(
        board=board_name(_text(root / "proc/device-tree/model")),
        machine=platform.machine(),
        system=f"{platform.system()} {platform.release()}",
        cpu_model=cpu_model(cpuinfo),
        cpu_features=cpu_features(cpuinfo),
        cores=_usable_cores(),
        memory_mib=memory_mib(meminfo),
        instructions=instructions(cpuinfo),
        available_mib=memory_mib(meminfo, "MemAvailable"),
    )
