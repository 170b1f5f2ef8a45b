"""How alike two pictures are: PSNR, SSIM, HaarPSI and LPIPS.

Pictures are (H, W) arrays, uint8 or float, on a scale of 0..255. All arithmetic is float64. UsageError where the two
differ in shape or are too small for the measure.
"""

from __future__ import annotations

import math
from typing import Protocol

import cv2
import numpy as np

from edge_sr.errors import UsageError
from edge_sr.tensors import Tensors

_SSIM_RADIUS = 5  # 11x11 window; scikit-image's truncate=3.5 at sigma 1.5 gives the same radius
_HAAR_SIDES = (2, 4, 8)  # supports of the three Haar scales
_IMAGENET_MEAN = np.array([0.485, 0.456, 0.406])  # torchvision's, which the LPIPS network was trained with
_IMAGENET_STD = np.array([0.229, 0.224, 0.225])


class ScoreSession(Protocol):
    """What ``lpips`` needs of a session."""

    def run(self, feeds: Tensors) -> Tensors: ...


def psnr(a: np.ndarray, b: np.ndarray, data_range: float = 255.0) -> float:
    """Peak signal-to-noise ratio in dB, inf for equal pictures; any shape."""
    a, b = _pair(a, b, least=1)
    mean_square = float(np.mean((a - b) ** 2))
    return 10 * math.log10(data_range**2 / mean_square) if mean_square else math.inf


def ssim(a: np.ndarray, b: np.ndarray, data_range: float = 255.0) -> float:
    """Structural similarity, at most 1 (Wang et al. 2004, equation 13, K1 = 0.01, K2 = 0.03), sides of at least 11.

    Gaussian window of sigma 1.5 over 11x11, covariance without the sample correction, mean over the places where the
    window lies wholly inside: scikit-image's gaussian_weights=True, sigma=1.5, use_sample_covariance=False.
    """
    a, b = _pair(a, b, least=2 * _SSIM_RADIUS + 1)
    mean_a, mean_b = _gaussian(a), _gaussian(b)
    variances = _gaussian(a * a) - mean_a**2 + _gaussian(b * b) - mean_b**2
    covariance = _gaussian(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    structure = (2 * covariance + c2) / (variances + c2)
    return float(np.mean(luminance * structure))


def haarpsi(a: np.ndarray, b: np.ndarray, *, c: float = 5.0, alpha: float = 4.9) -> float:
    """Haar wavelet-based perceptual similarity, 0..1, sides of at least 2.

    c, alpha: 5.0 and 4.9 are HaarPSI_MED, tuned on experts' ratings of chest radiographs (arXiv 2410.24098);
    30.0 and 4.2 are those of the first paper (arXiv 1607.06140, equations 8 to 12, without the colour term).
    """
    a, b = _pair(a, b, least=2)
    similarity, weight = 0.0, 0.0
    details = zip(_haar_magnitudes(_halve(a)), _haar_magnitudes(_halve(b)), strict=True)
    for (fine_a, middle_a, coarse_a), (fine_b, middle_b, coarse_b) in details:
        local = 0.5 * (_likeness(fine_a, fine_b, c) + _likeness(middle_a, middle_b, c))
        local_weight = np.maximum(coarse_a, coarse_b)
        similarity += float(np.sum(local_weight / (1 + np.exp(-alpha * local))))
        weight += float(np.sum(local_weight))
    if weight == 0:  # only where both pictures are black throughout
        return 1.0
    mean = similarity / weight
    return float((math.log(mean / (1 - mean)) / alpha) ** 2)


def lpips(session: ScoreSession, sr: np.ndarray, hr: np.ndarray) -> float:
    """Learned perceptual distance, 0 for equal pictures (arXiv 1801.03924); less is better.

    session: inputs "ref" and "dist", 1x3xHxW float32, RGB in [0, 1] less ImageNet's mean, over its deviation; output
    "score". sr, hr: (H, W), repeated to RGB, or (H, W, 3) RGB. The normalisation happens here.
    """
    sr, hr = _pair(sr, hr, least=1)
    score = session.run({"ref": _imagenet(hr), "dist": _imagenet(sr)})["score"]
    return float(np.ravel(score)[0])


def _pair(a: np.ndarray, b: np.ndarray, *, least: int) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64: a difference of uint8 arrays would wrap."""
    if a.shape != b.shape:
        raise UsageError(f"pictures of {a.shape} and {b.shape}", where="quality", expected="two of one shape")
    if min(a.shape[:2]) < least:
        raise UsageError(f"pictures of {a.shape}", where="quality", expected=f"sides of at least {least}")
    return a.astype(np.float64), b.astype(np.float64)


def _gaussian(field: np.ndarray) -> np.ndarray:
    """(H, W) -> (H - 10, W - 10): the Gaussian mean wherever the window lies inside."""
    offsets = np.arange(-_SSIM_RADIUS, _SSIM_RADIUS + 1)
    kernel = np.exp(-0.5 * (offsets / 1.5) ** 2)
    kernel /= kernel.sum()
    inside = slice(_SSIM_RADIUS, -_SSIM_RADIUS)
    return cv2.sepFilter2D(field, cv2.CV_64F, kernel, kernel)[inside, inside]


def _halve(field: np.ndarray) -> np.ndarray:
    """(H, W) -> (ceil(H/2), ceil(W/2)): means of pairs (0,1), (2,3)...; an odd last row or column is padded with 0."""
    height, width = field.shape
    even = np.pad(field, ((0, height % 2), (0, width % 2)))
    mean: np.ndarray = 0.25 * (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2])
    return mean


def _haar_magnitudes(field: np.ndarray) -> list[list[np.ndarray]]:
    """(H, W) -> [direction][scale] -> (H, W): absolute Haar coefficients, undecimated, zero outside the picture."""
    directions: list[list[np.ndarray]] = [[], []]
    for side in _HAAR_SIDES:
        flat = np.full(side, 1.0 / side)
        step = np.repeat([1.0, -1.0], side // 2)
        anchor = (side // 2 - 1, side // 2 - 1)  # MATLAB's "same"; scipy's starts one pixel earlier
        for scales, (along_x, along_y) in zip(directions, ((flat, step), (step, flat)), strict=True):
            response = cv2.sepFilter2D(
                field, cv2.CV_64F, along_x, along_y, anchor=anchor, borderType=cv2.BORDER_CONSTANT
            )
            scales.append(np.abs(response))
    return directions


def _likeness(a: np.ndarray, b: np.ndarray, c: float) -> np.ndarray:
    likeness: np.ndarray = (2 * a * b + c) / (a**2 + b**2 + c)  # 1 where equal, towards 0 where one vanishes
    return likeness


def _imagenet(picture: np.ndarray) -> np.ndarray:
    """(H, W) or (H, W, 3) on 0..255 -> (1, 3, H, W) float32."""
    rgb = picture if picture.ndim == 3 else np.repeat(picture[:, :, np.newaxis], 3, axis=2)
    normalised = (rgb / 255.0 - _IMAGENET_MEAN) / _IMAGENET_STD
    return np.ascontiguousarray(normalised.transpose(2, 0, 1)[np.newaxis], dtype=np.float32)
