"""In steady state a picture of one tile allocates next to nothing: no large array, and nothing that stays.

numpy tells tracemalloc of its arrays. The 8-bit result itself has 64 KiB and is the caller's, so it is new.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType

import numpy as np
import pytest

from edge_sr.artifacts.bundle import Bundle
from edge_sr.backends.base import FakeSession
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.radiograph import Radiograph
from edge_sr.models.latent_diffusion import LatentDiffusion
from edge_sr.pipeline import Workspace, upscale
from edge_sr.tensors import Tensors

LARGEST = 64 << 10  # bytes
SMALL_OBJECTS = 2048  # of the same line
SOURCE = Radiograph(chest_phantom(64, seed=3), 8, "0" * 64)
Call = Callable[[], object]


class StubBackend:
    """A composed network that computes nothing: its outputs are there already."""

    name, version = "stub", "1"

    def __init__(self, bundle: Bundle) -> None:
        self.specs = bundle.manifest.networks["upscale"]

    def open(self, artifact: Path) -> FakeSession:
        sr: Tensors = {"sr": np.full((1, 1, 256, 256), 0.5, np.float32)}
        return FakeSession(self.specs.inputs, self.specs.outputs, lambda feeds: sr)


def call_of(bundle: Bundle, kind: str, *, keep: bool = True) -> Call:
    """One picture through the composed network, after some others. keep: in one workspace, or in a new one each."""
    from edge_sr.backends.onnxrt import OnnxRuntime

    model = LatentDiffusion(bundle, StubBackend(bundle) if kind == "stub" else OnnxRuntime(threads=1))
    call = partial(upscale, SOURCE, model, workspace=Workspace() if keep else None)
    for _ in range(3):
        call()
    return call


class LineByLine:
    """The line of Python that allocates most at once: so many bytes, and where it stands."""

    def __init__(self) -> None:
        self.most, self.where = 0, ""
        self._line, self._before = "", 0

    def of(self, call: Call) -> int:
        tracing = sys.gettrace()
        tracemalloc.start()
        sys.settrace(self._step)
        try:
            call()
        finally:
            sys.settrace(tracing)
            tracemalloc.stop()
        return self.most

    def _step(self, frame: FrameType, event: str, argument: object) -> Callable[..., object]:
        """Python calls it before each line, and at the end of each function."""
        grown = tracemalloc.get_traced_memory()[1] - self._before
        if grown > self.most:
            self.most, self.where = grown, self._line
        self._line = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        self._before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        return self._step


@pytest.mark.parametrize("kind", ["stub", "onnxruntime"])
def test_no_array_over_64_kib_is_allocated(tiny: Bundle, kind: str) -> None:
    lines = LineByLine()
    assert lines.of(call_of(tiny, kind)) < LARGEST + SMALL_OBJECTS, lines.where


@pytest.mark.parametrize("kind", ["stub", "onnxruntime"])
def test_without_a_workspace_the_output_is_such_an_array(tiny: Bundle, kind: str) -> None:
    lines = LineByLine()
    assert lines.of(call_of(tiny, kind, keep=False)) > 4 * LARGEST and "pipeline/workspace.py" in lines.where


@pytest.mark.parametrize(("kind", "calls"), [("stub", 10_000), ("onnxruntime", 1_000)])
def test_nothing_stays(tiny: Bundle, kind: str, calls: int) -> None:
    call = call_of(tiny, kind)
    for _ in range(300):  # ONNX Runtime keeps some objects of its first calls
        call()
    before = _blocks()
    for _ in range(calls):
        call()
    assert _blocks() - before < calls / 10  # one object a call would be ten times as many


def _blocks() -> int:
    """Every array and every Python object that is alive has at least one."""
    gc.collect()
    return sys.getallocatedblocks()
