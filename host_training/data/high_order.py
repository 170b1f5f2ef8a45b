"""Real-ESRGAN's high-order degradation (arXiv 2107.10833): what cameras, scanners and mail do, twice.

Each of two rounds blurs, resizes, adds noise and compresses as JPEG; a sinc filter at the end rings. The numbers are
those of options/train_realesrnet_x4plus.yml in github.com/xinntao/Real-ESRGAN, and those which its data set class
holds itself. Pictures are grey (H, W) or in colour (H, W, 3), RGB. What differs from the published code: JPEG is
OpenCV's, its quality a whole number; every sample draws for itself, where there a batch shares one size and one order
of JPEG and sinc and is mixed in a pool afterwards; colour noise needs colour. Sharpening HR first is ``sharpened``.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from host_training.data import blur_kernels
from host_training.data.protocol import SCALE

Range = tuple[float, float]


@dataclass(frozen=True)
class Round:
    """What differs between the two rounds."""

    blurred_share: float  # of the pictures
    sigma: Range  # of the blur, pixels
    resize_shares: tuple[float, float, float]  # larger, smaller, as it is
    resize: Range  # factors: of HR's size in the first round, of LR's in the second
    noise_sigma: Range  # Gaussian, grey levels of 255
    poisson_scale: Range  # 1 is the noise of counting as many photons as there are grey levels


FIRST = Round(1.0, (0.2, 3.0), (0.2, 0.7, 0.1), (0.15, 1.5), (1.0, 30.0), (0.05, 3.0))
SECOND = Round(0.8, (0.2, 1.5), (0.3, 0.4, 0.3), (0.3, 1.2), (1.0, 25.0), (0.05, 2.5))

GAUSSIAN_NOISE_SHARE = 0.5  # of the pictures; the others get Poisson noise
GREY_NOISE_SHARE = 0.4  # of the pictures in colour; the others' channels get noise of their own
LUMA = np.array([0.2989, 0.587, 0.114])  # as torchvision's rgb_to_grayscale, which the published code calls
JPEG_QUALITY = (30, 95)
KERNEL_SIZES = range(7, 22, 2)  # pixels
SINC_SHARE, FINAL_SINC_SHARE = 0.1, 0.8
LARGE_KERNEL = 13  # pixels; from here on a sinc may cut lower
LOWEST_CUTOFF, LOWEST_CUTOFF_LARGE = np.pi / 3, np.pi / 5  # radians a pixel; the highest is pi
BELLS = {  # name -> share of the kernels that are no sinc, formula, round or not, range of beta
    "iso": (0.45, blur_kernels.gaussian, True, (1.0, 1.0)),
    "aniso": (0.25, blur_kernels.gaussian, False, (1.0, 1.0)),
    "generalized_iso": (0.12, blur_kernels.gaussian, True, (0.5, 4.0)),
    "generalized_aniso": (0.03, blur_kernels.gaussian, False, (0.5, 4.0)),
    "plateau_iso": (0.12, blur_kernels.plateau, True, (1.0, 2.0)),
    "plateau_aniso": (0.03, blur_kernels.plateau, False, (1.0, 2.0)),
}
INTERPOLATIONS = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)


def high_order(hr: np.ndarray, rng: np.random.Generator, *, scale: int = SCALE) -> np.ndarray:
    """(H, W) or (H, W, 3) uint8 -> the same with H/s and W/s, another one at every call.

    The same for the same state of ``rng``.
    """
    height, width = hr.shape[0] // scale, hr.shape[1] // scale
    picture = hr.astype(np.float32) / np.float32(255)
    picture = blurred(picture, FIRST, rng)
    picture = jpeg(noisy(resized(picture, picture.shape, FIRST, rng), FIRST, rng), rng)
    picture = blurred(picture, SECOND, rng)
    picture = noisy(resized(picture, (height, width), SECOND, rng), SECOND, rng)
    if rng.random() < 0.5:  # both orders occur: saved and then shown smaller, or shown smaller and then saved
        picture = jpeg(ringing(interpolated(picture, (height, width), rng), rng), rng)
    else:
        picture = ringing(interpolated(jpeg(picture, rng), (height, width), rng), rng)
    return to_grey(picture)


def blurred(picture: np.ndarray, stage: Round, rng: np.random.Generator) -> np.ndarray:
    """Through a kernel of any kind; in the second round not always."""
    return filtered(picture, drawn_kernel(stage.sigma, rng)) if rng.random() < stage.blurred_share else picture


def drawn_kernel(sigma: Range, rng: np.random.Generator) -> np.ndarray:
    """A sinc filter or one of ``BELLS``, with a standard deviation or two within ``sigma``."""
    size = int(rng.choice(KERNEL_SIZES))
    if rng.random() < SINC_SHARE:
        lowest = LOWEST_CUTOFF_LARGE if size >= LARGE_KERNEL else LOWEST_CUTOFF
        return blur_kernels.sinc(size, rng.uniform(lowest, np.pi))
    _, formula, isotropic, betas = list(BELLS.values())[rng.choice(len(BELLS), p=[bell[0] for bell in BELLS.values()])]
    along = rng.uniform(*sigma)
    across, angle = (along, 0.0) if isotropic else (rng.uniform(*sigma), rng.uniform(-np.pi, np.pi))
    return formula(size, (along, across), angle, drawn_beta(betas, rng))


def drawn_beta(betas: Range, rng: np.random.Generator) -> float:
    """Half of the exponents below 1, where a bell is pointed, and half above."""
    return rng.uniform(betas[0], 1.0) if rng.random() < 0.5 else rng.uniform(1.0, betas[1])


def ringing(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The final sinc filter, on most pictures."""
    if rng.random() >= FINAL_SINC_SHARE:
        return picture
    return filtered(picture, blur_kernels.sinc(int(rng.choice(KERNEL_SIZES)), rng.uniform(LOWEST_CUTOFF, np.pi)))


def filtered(picture: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """float32 -> float32 of the same shape; the borders are mirrored."""
    return np.asarray(cv2.filter2D(picture, cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT_101))


def resized(picture: np.ndarray, shape: tuple[int, ...], stage: Round, rng: np.random.Generator) -> np.ndarray:
    """To a random multiple of height and width, the first two of ``shape``, by a random interpolation."""
    least, most = stage.resize
    factor = (rng.uniform(1.0, most), rng.uniform(least, 1.0), 1.0)[rng.choice(3, p=stage.resize_shares)]
    return interpolated(picture, (max(1, int(shape[0] * factor)), max(1, int(shape[1] * factor))), rng)


def interpolated(picture: np.ndarray, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """float32 -> float32 of ``shape``, by area, linear or cubic interpolation. No filter before it: it may alias."""
    interpolation = INTERPOLATIONS[rng.integers(len(INTERPOLATIONS))]
    return np.asarray(cv2.resize(picture, (shape[1], shape[0]), interpolation=interpolation))


def noisy(picture: np.ndarray, stage: Round, rng: np.random.Generator) -> np.ndarray:
    """With Gaussian or Poisson noise, of each channel or of all alike, clipped to [0, 1]."""
    alike = picture.ndim == 3 and rng.random() < GREY_NOISE_SHARE
    counted = picture @ LUMA if alike else picture
    if rng.random() < GAUSSIAN_NOISE_SHARE:
        noise = gaussian_noise(counted.shape, rng.uniform(*stage.noise_sigma), rng)
    else:
        noise = poisson_noise(counted, rng.uniform(*stage.poisson_scale), rng)
    return np.clip(picture + (noise[..., None] if alike else noise), 0, 1).astype(np.float32)


def gaussian_noise(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Of standard deviation ``sigma`` grey levels of 255, in units of [0, 1]."""
    return rng.standard_normal(shape) * sigma / 255


def poisson_noise(picture: np.ndarray, scale: float, rng: np.random.Generator) -> np.ndarray:
    """That of counting ``photons`` at white, times ``scale``.

    photons: the power of two at or above the number of grey levels in the picture, so that a coarse one is noisier.
    """
    levels = to_grey(picture)
    photons = 1 << (len(np.unique(levels)) - 1).bit_length()
    mean = levels / 255
    return (rng.poisson(mean * photons) / photons - mean) * scale


def jpeg(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Compressed, colour at half the resolution of luma, and read again."""
    quality = int(rng.integers(JPEG_QUALITY[0], JPEG_QUALITY[1] + 1))
    swapped = to_grey(picture)[..., ::-1] if picture.ndim == 3 else to_grey(picture)  # OpenCV wants BGR
    _, encoded = cv2.imencode(".jpg", np.ascontiguousarray(swapped), [cv2.IMWRITE_JPEG_QUALITY, quality])
    read = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR if picture.ndim == 3 else cv2.IMREAD_GRAYSCALE))
    return (read[..., ::-1] if picture.ndim == 3 else read).astype(np.float32) / np.float32(255)


def to_grey(picture: np.ndarray) -> np.ndarray:
    """[0, 1] -> uint8, rounded and clipped."""
    return np.clip(np.rint(picture * 255), 0, 255).astype(np.uint8)
