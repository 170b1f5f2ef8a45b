"""Ours in the contest with the peers: the bundles that ship, in int8 and float32, as ``edge-sr run`` opens them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.onnxrt_options import int8_engine
from build_engines.chain_graphs import float_graphs
from build_engines.sensitivity.macs import effort_of
from edge_sr.artifacts.bundle import SHIPPED, Bundle, bundle_folder
from edge_sr.artifacts.chain import chain_of
from edge_sr.artifacts.engine_cache import VARIABLE
from edge_sr.bench.latency import times_of
from edge_sr.bench.measure import Gathered
from edge_sr.bench.schema import Memory, Opening, Variant
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


def build_int8(words: Sequence[str], cache: Path) -> dict[str, str]:
    """Into a cache, where they are not yet; why a build failed, by word."""
    failed = {}
    cache.mkdir(parents=True, exist_ok=True)
    for word in words:
        try:
            int8_engine(Bundle.open(bundle_folder(word)), cache)
        except EdgeSRError as error:  # such as an accuracy gate: float32 can still be timed
            failed[word] = str(error)
    return failed


def macs_of(subject: Subject) -> int:
    """Multiply-accumulates of one picture of 64x64, of all its convolutions."""
    assert subject.bundle is not None, "only bundles are asked about"
    chain = chain_of(subject.bundle, sampler=subject.sampler, steps=subject.steps)
    return effort_of(chain, float_graphs(chain)).total


def variant_of(subject: Subject, gathered: Gathered, process: AsProcess | None) -> Variant:
    """process: None where none was started."""
    entry, bundle = subject.entry, subject.bundle
    build_s = entry.manifest.timings.get("build_s") if entry else None
    return Variant(
        key=subject.key,
        title=f"edge-sr {subject.title}",
        model=subject.choice.word,
        bundle=subject.identity,
        backend=str(subject.model.provenance["backend"]),
        precision=subject.precision,
        size=subject.size,
        scale=subject.model.scale,
        latency=times_of(gathered.array.taken_ms, gathered.array.phases),
        opening=Opening(
            open_ms=round(subject.open_ms, 3),
            first_call_ms=round(gathered.first_call_ms, 3),
            warm_up=gathered.warm,
            cold_start_ms=process.cold_start_ms if process else None,
            cold_starts=process.starts if process else 0,
        ),
        asked=subject.choice.precision,
        family=bundle.manifest.family if bundle else None,
        engine=entry.name if entry else None,
        engine_bytes=sum(file.bytes for file in entry.manifest.engines.values()) if entry else None,
        build_seconds=build_s if isinstance(build_s, (int, float)) else None,
        sampler=subject.sampler,
        steps=subject.steps,
        threads=subject.threads,
        macs=macs_of(subject),
        file_latency=times_of(gathered.file.taken_ms, gathered.file.phases),
        outside_session_ms=gathered.outside_session_ms,
        memory=Memory(process.peak_mib, None) if process else None,
    )
