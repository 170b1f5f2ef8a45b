"""How LR is made: the area mean of the one protocol, and the degradations of other papers for comparison.

area: the 4x4 mean of HR. cubic: OpenCV's INTER_CUBIC straight from the stored picture to a quarter of HR's side, no
antialiasing, as the published pairs were made. cubic-from-hr: the same from HR. high-order: Real-ESRGAN's.
bicubic-blur: cubic-from-hr and then a Gaussian blur, with which the fine-tuned Real-ESRGAN was evaluated on radiographs
and, twice as small, on retina photographs. bicubic: MATLAB's, antialiased, with which natural pictures are published.
Pictures in colour are (H, W, 3).
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from edge_sr.errors import UsageError
from edge_sr.image.consistency import area_mean
from host_training.data.high_order import high_order
from host_training.data.imresize import imresize
from host_training.data.protocol import HR_SIDE, SCALE

# HR, stored picture, rng, how many times smaller -> LR
Degradation = Callable[[np.ndarray, np.ndarray, np.random.Generator, int], np.ndarray]

DEGRADATIONS: dict[str, Degradation] = {
    "area": lambda hr, stored, rng, scale: area(hr, scale),
    "cubic": lambda hr, stored, rng, scale: cubic(stored, len(hr) // scale),
    "cubic-from-hr": lambda hr, stored, rng, scale: cubic(hr, len(hr) // scale),
    "high-order": lambda hr, stored, rng, scale: high_order(hr, rng, scale=scale),
    "bicubic-blur": lambda hr, stored, rng, scale: bicubic_blur(hr, scale),
    "bicubic": lambda hr, stored, rng, scale: imresize(hr, hr.shape[0] // scale, hr.shape[1] // scale),
}
OF_HR = ("area", "cubic-from-hr", "high-order", "bicubic-blur", "bicubic")  # those that a crop of HR is enough for

# The paper says "bicubic, then Gaussian blur" and no more. Assumed here: INTER_CUBIC as in the other published pairs,
# then OpenCV's smallest kernel with the sigma that it takes for it. How much hangs on that: bicubic's PSNR on 40
# validation radiographs is 29.9 dB, without the blur 32.0, with sigma 0.5 31.7, with a kernel of 5 (sigma 1.1) 28.6.
BLUR_SIZE, BLUR_SIGMA = 3, 0.8  # LR pixels


def degrade(
    name: str, *, hr: np.ndarray, stored: np.ndarray, rng: np.random.Generator, scale: int = SCALE
) -> np.ndarray:
    """LR of a pair: (s/4, s/4) uint8, where ``hr`` is (s, s) uint8, 256 in prepared pairs, and ``stored`` (S, S) uint8.

    Both may be in colour, (s, s, 3). scale: how many times smaller than ``hr``, which is a multiple of it.
    Only "cubic" looks at ``stored``, only "high-order" draws from ``rng``: the same state gives the same LR.
    UsageError for a name that is not in ``DEGRADATIONS``.
    """
    return known(name)(hr, stored, rng, scale)


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


def area(picture: np.ndarray, scale: int) -> np.ndarray:
    """(H, W) or (H, W, 3) uint8 -> (H/s, W/s) or (H/s, W/s, 3) uint8: the mean of each block, halves to even."""
    channels_first = np.moveaxis(np.atleast_3d(picture), -1, 0)[None].astype(np.float32)
    mean = np.rint(area_mean(channels_first, scale)).astype(np.uint8)[0]
    return mean[0] if picture.ndim == 2 else np.ascontiguousarray(np.moveaxis(mean, 0, -1))


def bicubic_blur(hr: np.ndarray, scale: int) -> np.ndarray:
    """INTER_CUBIC to 1/s of height and width, then the Gaussian: (H, W) or (H, W, 3) uint8 -> uint8."""
    lr = cv2.resize(hr, (hr.shape[1] // scale, hr.shape[0] // scale), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.GaussianBlur(lr, (BLUR_SIZE, BLUR_SIZE), BLUR_SIGMA, borderType=cv2.BORDER_REFLECT_101))
