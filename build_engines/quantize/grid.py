"""The codes of each flavour, and the scales and zero points that map a range to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WEIGHT_LEVELS = 127  # symmetric: -128 has no counterpart


@dataclass(frozen=True)
class Flavour:
    """What one runtime makes INT8 of.

    lowest, highest: the codes of an activation. symmetric: the zero point is 0. outputs: a convolution needs a pair
    behind it too. dedicated: every reader has a pair of its own, as TensorRT fuses pairs into readers; else a tensor
    has one. packed_weights: stored as int8.
    """

    name: str
    lowest: int
    highest: int
    symmetric: bool
    outputs: bool
    dedicated: bool
    packed_weights: bool

    @property
    def dtype(self) -> type[np.integer]:
        """Of the codes."""
        return np.int8 if self.lowest < 0 else np.uint8


FLAVOURS = {
    "onnxruntime": Flavour("onnxruntime", 0, 255, symmetric=False, outputs=True, dedicated=False, packed_weights=True),
    "tensorrt": Flavour("tensorrt", -128, 127, symmetric=True, outputs=False, dedicated=True, packed_weights=False),
}


def grid(low: float, high: float, flavour: Flavour) -> tuple[np.float32, int]:
    """Scale and zero point of a range, in float32 arithmetic.

    The range is widened to hold 0, which ReLU and the padding of a convolution need exactly.
    """
    least, greatest = np.float32(min(low, 0)), np.float32(max(high, 0))
    if flavour.symmetric:
        return _positive(max(-least, greatest) / np.float32(flavour.highest)), 0
    scale = _positive((greatest - least) / np.float32(flavour.highest - flavour.lowest))
    return scale, flavour.lowest + int(np.rint(-least / scale))


def _positive(scale: np.float32) -> np.float32:
    """1 where all values are 0: TensorRT refuses a scale of 0."""
    return scale if scale > 0 else np.float32(1)


def weight_grid(weight: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Scales (channels,) float32 and codes int8, shaped as the weight; halves are rounded to even, as in ONNX."""
    amax = np.abs(weight).max(tuple(other for other in range(weight.ndim) if other != axis), keepdims=True)
    scales = np.where(amax > 0, amax / np.float32(WEIGHT_LEVELS), np.float32(1)).astype(np.float32)
    codes = np.clip(np.rint(weight / scales), -WEIGHT_LEVELS, WEIGHT_LEVELS).astype(np.int8)
    return scales.ravel(), codes
