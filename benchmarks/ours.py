"""Ours in the contest with the peers: the bundles that ship, in int8 and float32, as ``edge-sr run`` opens them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.onnxrt_options import int8_engine
from edge_sr.artifacts.bundle import SHIPPED, Bundle, bundle_folder
from edge_sr.artifacts.engine_cache import VARIABLE
from edge_sr.bench.measure import Gathered
from edge_sr.bench.recorded import recorded
from edge_sr.bench.schema import Memory, Variant
from edge_sr.bench.variants import Subject
from edge_sr.errors import EdgeSRError

PRECISIONS = ("int8", "fp32")


@dataclass(frozen=True)
class AsProcess:
    """``edge-sr run`` of one picture as a process, several times: the median from launch to end, and its memory."""

    cold_start_ms: float | None
    peak_mib: float | None
    starts: int


@contextmanager
def engines_in(folder: Path) -> Iterator[None]:
    """Engines are looked for in this folder alone, by this process and those that it starts."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before


def shipped() -> tuple[str, ...]:
    """The words of the bundles that are there, the default one first."""
    return tuple(word for word in SHIPPED if bundle_folder(word).is_dir())


def build_int8(words: Sequence[str], cache: Path, *, threads: int | None = None) -> dict[str, str]:
    """Into a cache, where they are not yet; why a build failed, by word."""
    failed = {}
    cache.mkdir(parents=True, exist_ok=True)
    for word in words:
        try:
            int8_engine(Bundle.open(bundle_folder(word)), cache, threads=threads)
        except EdgeSRError as error:  # such as an accuracy gate: float32 can still be timed
            failed[word] = str(error)
    return failed


def variant_of(subject: Subject, gathered: Gathered, process: AsProcess | None) -> Variant:
    """process: None where none was started."""
    cold_ms, starts = (process.cold_start_ms, process.starts) if process else (None, 0)
    memory = Memory(process.peak_mib, None) if process else None
    found = recorded(subject, gathered, cold_start_ms=cold_ms, starts=starts, memory=memory)
    return replace(found, title=f"edge-sr {subject.title}")
