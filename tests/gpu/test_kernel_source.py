"""upscale.cu computes what numpy does, and upscale.ptx was made from it.

The source runs on this processor, thread by thread: a compiler for C++ takes it once CUDA's few words are defined.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("benchmarks", reason="the stand-in engine is not in the wheel")

from benchmarks.kernel_engine import PTX, Network

SOURCE = PTX.with_suffix(".cu")
MADE_BY = "release 13.0"  # of nvcc; another one writes the same in other words
WORDS = """
#include <cmath>
struct Place { int x; };
extern "C" { Place blockIdx, blockDim, threadIdx; }
#define __global__
static float __fadd_rn(float a, float b) { return a + b; }
static float __fsub_rn(float a, float b) { return a - b; }
static float __fmul_rn(float a, float b) { return a * b; }
"""
Launch = Callable[..., None]


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    """launch(kernel, threads, *arguments): arrays and integers."""
    if not (compiler := shutil.which("c++")):
        pytest.skip("there is no C++ compiler on this machine")
    (tmp_path / "k.cpp").write_text(WORDS + SOURCE.read_text("utf-8"), "utf-8")
    words = [compiler, "-O1", "-ffp-contract=off", "-shared", "-fPIC", "-o", "k.so", "k.cpp"]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    library = ctypes.CDLL(str(tmp_path / "k.so"))
    block, size, thread = (ctypes.c_int.in_dll(library, name) for name in ("blockIdx", "blockDim", "threadIdx"))

    def call(kernel: str, threads: int, *arguments: np.ndarray | int) -> None:
        given = [ctypes.c_void_p(each.ctypes.data) if isinstance(each, np.ndarray) else each for each in arguments]
        size.value = 64
        for number in range(threads):
            block.value, thread.value = divmod(number, 64)
            library[kernel](*given)

    return call


def test_the_source_computes_what_numpy_does(launch: Launch) -> None:
    network = Network(height=5, width=7, layers=2, rounds=9)
    feeds, small, large = network.feeds(0), 5 * 7, 20 * 28
    values, sr = np.full(small, np.nan, np.float32), np.full((1, 1, 20, 28), np.nan, np.float32)
    launch("mix", small + 5, feeds["lr"], feeds["noise"], values, small)
    for _ in range(network.layers):
        launch("layer", small + 5, values, small, network.rounds)
    launch("upscale", large + 5, values, sr, network.width, large)
    assert np.array_equal(sr, network.expected(feeds)["sr"])


def test_threads_beyond_the_last_value_write_nothing(launch: Launch) -> None:
    values = np.full(8, 0.5, np.float32)
    launch("layer", 8, values, 5, 1)
    assert (values[:5] != 0.5).all() and (values[5:] == 0.5).all()


def test_the_ptx_was_made_from_the_source(tmp_path: Path) -> None:
    nvcc = shutil.which("nvcc")
    told = subprocess.run([nvcc, "--version"], capture_output=True, text=True).stdout if nvcc else ""
    if MADE_BY not in told:
        pytest.skip(f"there is no nvcc of {MADE_BY} on this machine")
    made = tmp_path / "made.ptx"
    subprocess.run([str(nvcc), "-ptx", "-arch=compute_75", "-o", str(made), str(SOURCE)], check=True)
    text = re.sub(r"^\.version .*$", ".version 6.4", made.read_text("utf-8"), flags=re.MULTILINE)
    assert re.sub(r"^\.target .*$", ".target sm_70", text, flags=re.MULTILINE) == PTX.read_text("utf-8")
