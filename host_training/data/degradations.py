"""How LR is made: the area mean of the one protocol, and the degradations of other papers for comparison.

area: the 4x4 mean of HR. cubic: OpenCV's INTER_CUBIC straight from the stored picture to a quarter of HR's side, no
antialiasing, as the published pairs were made. cubic-from-hr: the same from HR. high-order: Real-ESRGAN's.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from edge_sr.errors import UsageError
from host_training.data.high_order import high_order
from host_training.data.protocol import HR_SIDE, SCALE, lr_of

Degradation = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]  # HR, stored picture, rng -> LR

DEGRADATIONS: dict[str, Degradation] = {
    "area": lambda hr, stored, rng: lr_of(hr),
    "cubic": lambda hr, stored, rng: cubic(stored, len(hr) // SCALE),
    "cubic-from-hr": lambda hr, stored, rng: cubic(hr, len(hr) // SCALE),
    "high-order": lambda hr, stored, rng: high_order(hr, rng),
}
OF_HR = ("area", "cubic-from-hr", "high-order")  # those that a crop of HR is enough for


def degrade(name: str, *, hr: np.ndarray, stored: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """LR of a pair: (s/4, s/4) uint8, where ``hr`` is (s, s) uint8, 256 in prepared pairs, and ``stored`` (S, S) uint8.

    Only "cubic" looks at ``stored``, only "high-order" draws from ``rng``: the same state gives the same LR.
    UsageError for a name that is not in ``DEGRADATIONS``.
    """
    return known(name)(hr, stored, rng)


def hr_for(name: str, stored: np.ndarray) -> np.ndarray:
    """HR of a pair: (S, S) uint8 -> (256, 256) uint8, by INTER_CUBIC for the cubic ones as published, else by area."""
    known(name)
    if name.startswith("cubic"):
        return cubic(stored, HR_SIDE)
    return np.asarray(cv2.resize(stored, (HR_SIDE, HR_SIDE), interpolation=cv2.INTER_AREA))


def known(name: str) -> Degradation:
    """The degradation of that name. UsageError where there is none."""
    if name not in DEGRADATIONS:
        raise UsageError(f"no such degradation: {name}", expected=", ".join(DEGRADATIONS))
    return DEGRADATIONS[name]


def cubic(picture: np.ndarray, side: int) -> np.ndarray:
    """(H, W) uint8 -> (side, side) uint8 by INTER_CUBIC, which reads 4x4 pixels however much smaller the result is."""
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC))
