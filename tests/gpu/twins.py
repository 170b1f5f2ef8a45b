"""The kernels of benchmarks/kernel_engine/upscale.cu in numpy, for the simulated GPU. A thread does one value."""

from __future__ import annotations

import numpy as np

from benchmarks.kernel_engine import SCALE
from tests.sim.kernels import Array, Kernel


def mix(threads: int, lr: np.ndarray, noise: np.ndarray, values: np.ndarray, count: int) -> None:
    values[:threads] = lr[:threads] + noise[:threads] * np.float32(0.25)


def layer(threads: int, values: np.ndarray, count: int, rounds: int) -> None:
    done = values[:threads]
    for _ in range(rounds):
        done[...] = done * np.float32(1.5) + np.float32(0.1)
        done -= np.floor(done)


def upscale(threads: int, values: np.ndarray, sr: np.ndarray, width: int, count: int) -> None:
    places = np.arange(min(threads, count))
    rows, columns = places // (SCALE * width), places % (SCALE * width)
    sr[: len(places)] = values[rows // SCALE * width + columns // SCALE]


def of_mix(lr: int, noise: int, values: int, count: int) -> list[Array]:
    return [Array(lr, count, False), Array(noise, count, False), Array(values, count, True)]


def of_layer(values: int, count: int, rounds: int) -> list[Array]:
    return [Array(values, count, True)]


def of_upscale(values: int, sr: int, width: int, count: int) -> list[Array]:
    return [Array(values, count // SCALE**2, False), Array(sr, count, True)]


TWINS = {"mix": Kernel(of_mix, mix), "layer": Kernel(of_layer, layer), "upscale": Kernel(of_upscale, upscale)}
