"""A variant that was opened and timed, as the report writes it down."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from edge_sr.bench.latency import times_of
from edge_sr.bench.measure import Gathered
from edge_sr.bench.schema import Memory, Opening, Variant
from edge_sr.bench.variants import Subject


def recorded(
    subject: Subject,
    gathered: Gathered,
    *,
    cold_start_ms: float | None = None,
    starts: int = 0,
    memory: Memory | None = None,
) -> Variant:
    """cold_start_ms, starts: of ``edge-sr run`` as a process, and how often it was started; None where it was not."""
    entry, bundle = subject.entry, subject.bundle
    build_s = None if entry is None else entry.manifest.timings.get("build_s")
    parameters, macs = _cost(subject)
    return Variant(
        key=subject.key,
        title=subject.title,
        model=Path(subject.choice.word).name,
        bundle=subject.identity,
        family=None if bundle is None else bundle.manifest.family,
        backend=subject.backend,
        asked=subject.choice.precision,
        precision=subject.precision,
        engine=None if entry is None else entry.name,
        engine_bytes=None if entry is None else sum(file.bytes for file in entry.manifest.engines.values()),
        build_seconds=build_s if isinstance(build_s, (int, float)) else None,
        sampler=subject.sampler,
        steps=subject.steps,
        threads=subject.threads,
        size=subject.size,
        scale=subject.model.scale,
        parameters=parameters,
        macs=macs,
        latency=times_of(gathered.array.taken_ms, gathered.array.phases),
        file_latency=times_of(gathered.file.taken_ms, gathered.file.phases),
        outside_session_ms=gathered.outside_session_ms,
        opening=Opening(
            open_ms=round(subject.open_ms, 3),
            first_call_ms=round(gathered.first_call_ms, 3),
            warm_up=gathered.warm,
            cold_start_ms=cold_start_ms,
            cold_starts=0 if cold_start_ms is None else starts,
        ),
        throughput=tuple(gathered.throughput),
        stream_pictures_per_s=gathered.stream_pictures_per_s,
        memory=memory,
    )


def _cost(subject: Subject) -> tuple[int | None, int | None]:
    """Parameters and multiply-accumulates of one tile; of a model without networks, and without onnx, unknown."""
    if subject.bundle is None or find_spec("onnx") is None:
        return None, None
    from edge_sr.bench.roofline.cost import cost_of_bundle

    cost = cost_of_bundle(subject.bundle, sampler=subject.sampler, steps=subject.steps)
    return cost.parameters, cost.macs
