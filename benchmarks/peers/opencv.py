"""Bicubic interpolation by OpenCV: what costs next to nothing."""

from __future__ import annotations

import cv2
import numpy as np

from benchmarks.peers.base import Surroundings

SCALE = 4


class OpenCvBicubic:
    """A ``Peer`` without weights."""

    name, title = "bicubic", "bicubic, OpenCV"
    about = "cv2.resize with INTER_CUBIC, 8 bits to 8 bits"
    random_weights = False
    parameters: int | None = None
    macs: int | None = None
    steps: int | None = None

    def __init__(self, threads: int) -> None:
        self.backend = f"opencv {cv2.__version__}"
        self._threads = threads

    def open(self) -> None:
        cv2.setNumThreads(self._threads)

    def __call__(self, lr: np.ndarray) -> np.ndarray:
        height, width = lr.shape
        return cv2.resize(lr, (width * SCALE, height * SCALE), interpolation=cv2.INTER_CUBIC)

    def close(self) -> None:
        """Nothing is open."""


def bicubic(surroundings: Surroundings) -> OpenCvBicubic:
    return OpenCvBicubic(surroundings.threads)
