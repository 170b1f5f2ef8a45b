"""One build: a chain's float32 graphs in, a checked engine in the cache out, or a reason why not."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from build_engines.candidate import workbench
from build_engines.chain_graphs import Graphs, float_graphs
from build_engines.check.accuracy import GATES, judge
from build_engines.check.pictures import Pictures
from build_engines.check.polygraphy import faults
from build_engines.check.tensors import as_json, check_tensors
from build_engines.makers import MAKERS, QUANTISING, Made, Wish
from build_engines.ranges.find import FoundRanges, ranges_for
from build_engines.sensitivity.macs import effort_of
from build_engines.targets.base import Target, Tell
from calibration.choose import AUTO
from edge_sr.artifacts.chain import Chain
from edge_sr.artifacts.engine_cache import explain, find
from edge_sr.artifacts.engine_entry import Entry
from edge_sr.artifacts.engine_folder import build_lock
from edge_sr.artifacts.engine_key import EngineKey
from edge_sr.artifacts.engine_manifest import BundleName, EngineFile, EngineManifest
from edge_sr.artifacts.engine_publish import publish, staging


@dataclass(frozen=True)
class Request:
    """What is to be built.

    cache: the folder to publish to. pictures: to check on, and to calibrate on where no table fits. table: a file of
    ranges that was named. recalibrate: though the bundle has a table. truth: (n, 1, H, W) HR pictures, or None.
    force: although there is such an engine.
    """

    chain: Chain
    precision: str
    target: Target
    cache: Path
    pictures: Pictures = field(repr=False)
    table: Path | None = None
    recalibrate: bool = False
    method: str = AUTO
    high: tuple[str, ...] = ()
    truth: np.ndarray | None = field(default=None, repr=False)
    threads: int | None = None
    force: bool = False


@dataclass(frozen=True)
class Built:
    """fresh: False where the engine was there already."""

    entry: Entry
    fresh: bool


def build(request: Request, *, tell: Tell) -> Built:
    """The engine, published, or one that was there.

    Raises AccuracyError where the gates do not hold (nothing is published then), IntegrityError for a table that does
    not fit, EnvironmentFault where the machine lacks something. tell: gets a line for each step.
    """
    log = Log(tell)
    graphs = float_graphs(request.chain)
    log(f"composed: {', '.join(f'{role} of {len(graph.graph.node)} nodes' for role, graph in graphs.items())}")
    effort = effort_of(request.chain, graphs)
    request = replace(request, pictures=request.pictures.affordable(effort))
    if not effort.full:
        log(f"a picture takes {effort.total / 1e9:.0f} billion multiply-accumulates, so {request.pictures}")
    ranges = _ranges(request, graphs, log) if request.precision in QUANTISING else None
    key = _key(request, ranges)
    with build_lock(request.cache, lambda pid: log(f"another build is at work (process {pid or 'unknown'}); waiting")):
        if not request.force and (entry := find(key, folders=[request.cache])):
            return Built(entry, fresh=False)
        _tell_what_changed(key, request, log)
        with staging(request.cache) as folder:
            start_s = time.perf_counter()
            made, files = _make(request, graphs, ranges, folder, log)
            timings = _timings(made, time.perf_counter() - start_s)
            files["build.log"] = "\n".join(log.lines).encode() + b"\n"
            return Built(publish(folder, _staged(request, key, made, files, timings, folder)), fresh=True)


class Log:
    """Tells on, and keeps what it told."""

    def __init__(self, tell: Tell) -> None:
        self.lines: list[str] = []
        self._tell = tell

    def __call__(self, line: str) -> None:
        self.lines.append(line)
        self._tell(line)


def _ranges(request: Request, graphs: Graphs, tell: Tell) -> FoundRanges:
    found = ranges_for(
        request.chain,
        graphs,
        lambda: request.pictures.calibration,
        table=request.table,
        anew=request.recalibrate,
        method=request.method,
        threads=request.threads,
    )
    tell(f"ranges of {len(found.table.tensors)} tensors: {found.source}")
    return found


def _key(request: Request, ranges: FoundRanges | None) -> EngineKey:
    chain, target = request.chain, request.target
    options = {**target.options, **({"high": " ".join(sorted(request.high))} if request.high else {})}
    return EngineKey(
        chain_sha256=chain.sha256,
        sampler=chain.sampler,
        steps=chain.steps,
        roles=chain.roles,
        precision=request.precision,
        tile=chain.bundle.manifest.input.tile,
        batch=target.batch,
        calibration_sha256=ranges.sha256 if ranges else "",
        options=options,
        **asdict(target.machine),
    )


def _tell_what_changed(key: EngineKey, request: Request, tell: Tell) -> None:
    near = explain(key, folders=[request.cache])
    if near is not None and not request.force:
        entry, differences = near
        parts = ", ".join(each.part for each in differences)
        tell(f"no such engine yet; the nearest, {entry.name}, differs in {parts}")


def _make(
    request: Request, graphs: Graphs, ranges: FoundRanges | None, folder: Path, log: Log
) -> tuple[Made, dict[str, bytes]]:
    """The candidate that passed, and everything that is kept beside it."""
    work = folder / "work"
    work.mkdir()
    wish = Wish(ranges.table if ranges else None, request.high, request.threads)
    with workbench(
        request.chain,
        request.target,
        graphs,
        request.pictures.check,
        folder=work,
        tell=log,
        threads=request.threads,
        truth=request.truth,
    ) as bench:
        made = MAKERS[request.precision](bench, wish)
        rows = check_tensors(bench, made.candidate)
    if found := [fault for compared in rows.values() for fault in faults(compared)]:
        verdict = judge(made.candidate.verdict.rows, made.candidate.verdict.truth, faults=found)
        raise verdict.error(f"{request.chain.bundle.manifest.name}, {request.chain}, {made.candidate.precision}")
    for line in report(made):
        log(line)
    files = {**made.files, "tensors.json": as_json(rows)}
    for role, compiled in made.candidate.compiled.items():
        files |= {f"{role}.{name}": content for name, content in compiled.files.items()}
    return made, files


def report(made: Made) -> Iterator[str]:
    """What the check found and the clock showed, a line each."""
    candidate = made.candidate
    for row in candidate.verdict.rows:
        yield (
            f"check at fidelity {row.fidelity:g}: {row.psnr_db:.1f} dB to float32 (gate {GATES.psnr_db:g}), "
            f"worst picture {row.worst_psnr_db:.1f} dB, mean shift {row.mean_shift:.3f} (gate {GATES.mean_shift:g})"
        )
    for truth in candidate.verdict.truth:
        changes = ", ".join(f"{measure} {truth.change(measure):+.4f}" for measure in truth.reference)
        yield f"against {truth.pictures} HR pictures at fidelity {truth.fidelity:g}: {changes}"
    reference_ms = made.p50_ms["reference"]
    for name, ms in made.p50_ms.items():
        if name != "reference":
            kept = " (kept)" if name == candidate.precision and len(made.p50_ms) > 2 else ""
            ratio = f"{reference_ms / ms:.2f} times as fast{kept}"
            yield f"time: {name} {ms:.2f} ms, float32 {reference_ms:.2f} ms: {ratio}"


def _staged(
    request: Request,
    key: EngineKey,
    made: Made,
    files: Mapping[str, bytes],
    timings: Mapping[str, object],
    folder: Path,
) -> EngineManifest:
    """Move engines and files to where they are published from; the manifest for them."""
    candidate, bundle = made.candidate, request.chain.bundle
    for role, path in candidate.engines.items():
        path.rename(folder / f"{role}.engine")
    for name, content in files.items():
        (folder / name).write_bytes(content)
    shutil.rmtree(folder / "work")
    return EngineManifest(
        key=key,
        bundle=BundleName(bundle.manifest.name, bundle.manifest.version, bundle.sha256),
        precision=candidate.precision,
        engines={role: EngineFile(f"{role}.engine") for role in candidate.engines},
        verdict=candidate.verdict.to_json(),
        timings=timings,
        high=candidate.high,
        simulated=candidate.simulated,
    )


def _timings(made: Made, build_s: float) -> dict[str, object]:
    """p50_ms by precision, of one tile at the bundle's fidelity, taken in turn without spinning threads. build_s: of
    quantising, compiling and checking, which is told. compiled: what the target says of each engine.
    """
    reference_ms = made.p50_ms["reference"]
    ms = {name: round(each, 3) for name, each in made.p50_ms.items() if name != "reference"}
    speedup = reference_ms / made.p50_ms[made.candidate.precision]
    return {
        "p50_ms": ms,
        "reference_p50_ms": round(reference_ms, 3),
        "speedup": round(speedup, 3),
        "build_s": round(build_s, 3),
        "compiled": {role: dict(each.details) for role, each in made.candidate.compiled.items()},
    }
