"""The tables of the published system, to stand beside ours: the same form, another protocol.

There LR is made by cubic interpolation without antialiasing; pictures, LPIPS network and machine are others too. So a
published row compares with published rows alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class PublishedRow:
    """As printed. seconds: a picture, None where none is given."""

    set: str
    row: str
    seconds: float | None
    lpips: float
    psnr_db: float
    ssim: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


PUBLISHED = (
    PublishedRow("NIH ChestX-ray14", "bicubic", None, 0.3472, 29.59, 0.9176),
    PublishedRow("NIH ChestX-ray14", "latent diffusion", 7.02, 0.1232, 27.34, 0.8647),
    PublishedRow("NIH ChestX-ray14", "the same in TensorRT", 1.49, 0.1223, 27.11, 0.8501),
    PublishedRow("Indiana / Open-i", "bicubic", None, 0.3444, 28.36, 0.9019),
    PublishedRow("Indiana / Open-i", "latent diffusion", 7.11, 0.1285, 26.74, 0.8621),
    PublishedRow("Indiana / Open-i", "the same in TensorRT", 1.70, 0.1290, 27.01, 0.8280),
)
