"""What this process holds in RAM."""

from __future__ import annotations

import gc
import os
from pathlib import Path


def resident_kib(statm: Path = Path("/proc/self/statm")) -> int | None:
    """Memory that this process holds in RAM, garbage collected; None where the system does not tell."""
    gc.collect()
    try:
        pages = int(statm.read_text("utf-8").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024
