"""What becomes of a radiograph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SRResult:
    """pixels: (H, W) uint8 or uint16, or (H, W, 3) uint8 RGB where colour was kept.

    spread: (H, W) float32, the standard deviation over the samples in units of the full range; None for one sample.
    """

    pixels: np.ndarray
    provenance: Mapping[str, object]
    spread: np.ndarray | None = None
