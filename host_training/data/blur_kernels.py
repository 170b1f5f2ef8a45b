"""The blur kernels of Real-ESRGAN's degradation (arXiv 2107.10833): bell-shaped ones and low-pass sinc filters.

A kernel is (k, k) float64, k odd, and sums to 1.
"""

from __future__ import annotations

import numpy as np


def gaussian(size: int, sigma: tuple[float, float], angle: float = 0.0, beta: float = 1.0) -> np.ndarray:
    """exp(-q^beta / 2) of q = c' S^-1 c (section 3.1); beta 1 is the Gaussian, others the generalised one.

    sigma: standard deviations along the axes of the ellipse, pixels. angle: by which they are turned, radians.
    """
    return _normalised(np.exp(-0.5 * _ellipse(size, sigma, angle) ** beta))


def plateau(size: int, sigma: tuple[float, float], angle: float = 0.0, beta: float = 1.0) -> np.ndarray:
    """1 / (1 + q^beta), with a flatter top than a Gaussian's (section 3.1); arguments as for ``gaussian``."""
    return _normalised(1 / (1 + _ellipse(size, sigma, angle) ** beta))


def sinc(size: int, cutoff: float) -> np.ndarray:
    """What passes all below ``cutoff`` (radians a pixel, up to pi) in every direction and nothing above (section 3.3).

    k(r) = cutoff J1(cutoff r) / (2 pi r), which is cutoff^2 / (4 pi) at the centre. Cut to ``size`` it rings.
    """
    x, y = _grid(size)
    radius = np.hypot(x, y)
    centre = radius == 0
    kernel = cutoff * _bessel_j1(cutoff * radius) / (2 * np.pi * np.where(centre, 1.0, radius))
    return _normalised(np.where(centre, cutoff**2 / (4 * np.pi), kernel))


def _grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    half = size // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float64)
    return x, y


def _ellipse(size: int, sigma: tuple[float, float], angle: float) -> np.ndarray:
    """q = c' S^-1 c of every position c, S the covariance with these axes."""
    x, y = _grid(size)
    along = x * np.cos(angle) + y * np.sin(angle)
    across = y * np.cos(angle) - x * np.sin(angle)
    return np.asarray((along / sigma[0]) ** 2 + (across / sigma[1]) ** 2)


def _bessel_j1(x: np.ndarray) -> np.ndarray:
    """J1(x) = mean over a turn of cos(t - x sin t) (DLMF 10.9.2); 128 points are exact to rounding for |x| < 50."""
    t = np.linspace(0, 2 * np.pi, 128, endpoint=False)
    return np.asarray(np.cos(t - x[..., None] * np.sin(t)).mean(-1))


def _normalised(kernel: np.ndarray) -> np.ndarray:
    return kernel / kernel.sum()
