"""A decoder and a work that are done in microseconds, and that fail when they are told to."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edge_sr.image.png import encode_png
from edge_sr.image.radiograph import Radiograph, radiograph_of
from edge_sr.pipeline.provenance import png_text
from edge_sr.service.work import Result
from edge_sr.timing import Phases


def picture(seed: int = 0, side: int = 8) -> bytes:
    return encode_png(np.random.default_rng(seed).integers(0, 256, (side, side), np.uint8), text={})


class FakeDecoder:
    """fault: raised for each file."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault

    def decode(self, content: int, *, sha256: str | None = None) -> Radiograph:
        if self.fault is not None:
            raise self.fault
        return radiograph_of(os.pread(content, 1 << 20, 0))


@dataclass
class FakeResult:
    pixels: np.ndarray
    provenance: Mapping[str, object]


@dataclass
class FakeWork:
    """Four times as wide and high by repetition. on_call: told how many pictures come, and may raise.

    calls: of how many pictures each was. encode_fault: raised in place of a file.
    """

    on_call: Callable[[int], None] = lambda count: None
    encode_fault: Exception | None = None
    scale: int = 4
    largest_batch: int = 4
    calls: list[int] = field(default_factory=list)
    closed: bool = False

    @property
    def description(self) -> Mapping[str, object]:
        return {"model": "fake 1", "precision": "fp32", "backend": "numpy"}

    def job_key(self, radiograph: Radiograph) -> str:
        return radiograph.sha256

    def __call__(self, radiographs: Sequence[Radiograph], phases: Phases) -> Sequence[FakeResult]:
        self.calls.append(len(radiographs))
        self.on_call(len(radiographs))
        phases.add("compute", 8.0)
        return [
            FakeResult(
                each.pixels.repeat(4, axis=0).repeat(4, axis=1), {"job_key": each.sha256, "input_sha256": each.sha256}
            )
            for each in radiographs
        ]

    def encode(self, result: Result) -> bytes:
        if self.encode_fault is not None:
            raise self.encode_fault
        return encode_png(result.pixels, text=png_text(result.provenance))

    def close(self) -> None:
        self.closed = True
