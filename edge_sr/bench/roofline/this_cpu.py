"""What this processor attains: products and convolutions in int8 and float32, copies, and nodes that do nothing.

Everything goes through the same ONNX Runtime, options and threads that run the networks, so a peak is what its best
kernels reach here and not what the data sheet promises. The best of many tries counts: a ceiling that something else on
the machine has lowered would be none.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.bench.roofline.devices import THIS_CPU, Device
from edge_sr.device.cores import usable_physical_cores
from edge_sr.device.facts import read_facts
from edge_sr.errors import EnvironmentFault

if TYPE_CHECKING:
    from onnx import ModelProto

ROUNDS = 4  # visits, so that a moment in which something else runs costs no kernel all its tries
WEIGHTS: Mapping[str, type] = {"int8": np.int8, "fp32": np.float32}  # by precision
SIDES = (256, 384, 512)  # of square matrices; one run is over before a scheduler lets something else have the core
COPIES_KIB = (128, 512, 2048, 16384)  # by each thread: within a second-level cache and far beyond it
WIDTH, SIDE, IN_A_ROW = 64, 32, 2  # of convolutions: of some kernels they get more than a product of matrices does
CHAIN = 200  # nodes of one element each
HEADER = '<ir_version: 10, opset_import: ["" : 19]>'


def measure_this_cpu(threads: int | None = None, *, seconds: float = 0.5) -> Device:
    """A Device called THIS_CPU, measured now and kept nowhere.

    threads: as of ``OnnxRuntime``, None for one a physical core. seconds: of each size of each measurement, of which
    there are fourteen, in ROUNDS visits. Needs onnx, to write the graphs.
    """
    count = threads or usable_physical_cores()
    backend = OnnxRuntime(count)
    visit_s = seconds / ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        visits = [{each: _rates(backend, Path(folder), each, visit_s) for each in WEIGHTS} for _ in range(ROUNDS)]
        launch_us = _launch_us(backend, Path(folder), seconds)
    int8, int8_source = _best(backend, [visit["int8"] for visit in visits])
    fp32, fp32_source = _best(backend, [visit["fp32"] for visit in visits])
    gb_s, copy_source = _best_copy(count, seconds)
    return Device(
        name=THIS_CPU,
        title=f"{read_facts().cpu_model or 'this processor'}, {count} thread{'s' if count > 1 else ''}",
        tops={"int8": int8, "fp32": fp32},
        gb_s=gb_s,
        launch_us=launch_us,
        power_w=None,
        fuses=False,
        measured=True,
        sources={
            "tops_int8": int8_source,
            "tops_fp32": fp32_source,
            "gb_s": copy_source,
            "launch_us": f"measured: a chain of {CHAIN} additions of one element in ONNX Runtime",
        },
    )


def _rates(backend: OnnxRuntime, folder: Path, precision: str, seconds: float) -> dict[str, float]:
    """10^12 operations a second of each kernel that could be the fastest."""
    tries = {f"{side} x {side} x {side}": (2 * side**3, _product(side, precision)) for side in SIDES}
    tries["convolutions"] = (2 * IN_A_ROW * 9 * (WIDTH * SIDE) ** 2, _convolutions(precision))
    return {name: count / _least_s(backend, folder, model, seconds) / 1e12 for name, (count, model) in tries.items()}


def _best(backend: OnnxRuntime, visits: Sequence[Mapping[str, float]]) -> tuple[float, str]:
    """The highest of these rates, and how it was found."""
    rates = {name: max(visit[name] for visit in visits) for name in visits[0]}
    listed = ", ".join(f"{name} {rate:.2f}" for name, rate in rates.items())
    how = f"measured: ONNX Runtime {backend.version}, products of matrices and {IN_A_ROW} 3x3 convolutions in a row"
    return max(rates.values()), f"{how} of {WIDTH} channels at {SIDE}x{SIDE}, TOP/s: {listed}; the best counts"


def _product(side: int, precision: str) -> ModelProto:
    operator, into, out = {
        "int8": ("MatMulInteger", "uint8", "int32"),
        "fp32": ("MatMul", "float", "float"),
    }[precision]
    text = f"product ({into}[{side},{side}] x) => ({out}[{side},{side}] y) {{ y = {operator}(x, w) }}"
    return _model(text, {"w": _drawn((side, side), WEIGHTS[precision])})


def _convolutions(precision: str) -> ModelProto:
    """A few in a row, so that laying out their input and output afresh counts little."""
    weights: dict[str, np.ndarray]
    if precision == "int8":
        call, element = "QLinearConv<pads=[1,1,1,1]>({}, s, z, w, ws, wz, s, z)", "uint8"
        weights = {"s": np.array(0.1, np.float32), "z": np.array(128, np.uint8), "ws": np.full(WIDTH, 1e-3, np.float32)}
        weights |= {"wz": np.zeros(WIDTH, np.int8), "w": _drawn((WIDTH, WIDTH, 3, 3), np.int8)}
    else:
        call, element = "Conv<pads=[1,1,1,1]>({}, w)", "float"
        weights = {"w": _drawn((WIDTH, WIDTH, 3, 3), np.float32) / 1e4}
    names = ["x", *(f"t{index}" for index in range(IN_A_ROW - 1)), "y"]
    body = " ".join(f"{out} = {call.format(into)}" for into, out in pairwise(names))
    port = f"{element}[1,{WIDTH},{SIDE},{SIDE}]"
    return _model(f"convolutions ({port} x) => ({port} y) {{ {body} }}", weights)


def _drawn(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    return np.random.default_rng(0).integers(-100, 100, shape).astype(dtype)


def _launch_us(backend: OnnxRuntime, folder: Path, seconds: float) -> float:
    names = ["x", *(f"t{index}" for index in range(CHAIN - 1)), "y"]
    body = " ".join(f"{out} = Add({into}, x)" for into, out in pairwise(names))
    chain, single = (
        _least_s(backend, folder, _model(f"chain (float[1] x) => (float[1] y) {{ {text} }}", {}), seconds)
        for text in (body, "y = Add(x, x)")
    )
    return max(0.0, chain - single) / (CHAIN - 1) * 1e6


def _model(text: str, weights: Mapping[str, np.ndarray]) -> ModelProto:
    try:
        from onnx import numpy_helper, parser
    except ImportError as error:
        hint = 'pip install "edge-sr[build]"'
        raise EnvironmentFault("measuring this processor needs the package onnx", hint=hint) from error
    model = parser.parse_model(f"{HEADER} {text}")
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in weights.items())
    return model


def _least_s(backend: OnnxRuntime, folder: Path, model: ModelProto, seconds: float) -> float:
    """Of one run, the least in so many seconds."""
    path = folder / "graph.onnx"
    path.write_bytes(model.SerializeToString())
    with backend.open(path) as session:
        feeds = {spec.name: np.ones([int(axis) for axis in spec.shape], spec.dtype) for spec in session.inputs}
        return _least(lambda: session.run(feeds), seconds)


def _least(call: Callable[[], Any], seconds: float) -> float:
    least, end = float("inf"), time.perf_counter() + seconds
    while True:
        start = time.perf_counter()
        call()
        now = time.perf_counter()
        least = min(least, now - start)
        if now > end:
            return least


def _best_copy(threads: int, seconds: float) -> tuple[float, str]:
    """10^9 bytes a second, read and written, of the fastest size, and how it was found."""
    rates = {kib: _copy_gb_s(threads, kib << 10, seconds) for kib in COPIES_KIB}
    kib = max(rates, key=lambda each: rates[each])
    listed = ", ".join(f"{size} KiB {rate:.0f}" for size, rate in rates.items())
    return rates[kib], f"measured: numpy copies by {threads} thread(s) at once, GB/s by size: {listed}; the best counts"


def _copy_gb_s(threads: int, size: int, seconds: float) -> float:
    """Each thread copies arrays of its own: the sum of what they reach at their best."""
    barrier = Barrier(threads)

    def least_s(_: int) -> float:
        source, target = np.ones(size, np.uint8), np.zeros(size, np.uint8)
        barrier.wait()
        return _least(lambda: np.copyto(target, source), seconds)

    with ThreadPoolExecutor(threads) as pool:
        times: Sequence[float] = list(pool.map(least_s, range(threads)))
    return sum(2 * size / each for each in times) / 1e9
