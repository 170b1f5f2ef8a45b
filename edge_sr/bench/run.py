"""One bench from beginning to end: open, time in turns, weigh, judge, and write it all down."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edge_sr import __version__
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.bench.caveats import caveats
from edge_sr.bench.hr_pictures import phantoms, pictures_in
from edge_sr.bench.limits import check_devices, limits_of
from edge_sr.bench.measure import Gathered, gather, measure_latency, measure_throughput, settle
from edge_sr.bench.panels import SIDE, Album, album_of, to_show
from edge_sr.bench.plan import Lengths, Plan
from edge_sr.bench.process import cold_starts_ms, peak_mib, steady_mib
from edge_sr.bench.quality import judge, makers_of
from edge_sr.bench.recorded import recorded
from edge_sr.bench.records import plain
from edge_sr.bench.scales import Scales
from edge_sr.bench.schema import Energy, Memory, Power, Quality, Report, Variant
from edge_sr.bench.surroundings import Surroundings
from edge_sr.bench.variants import Subject, Wish, open_variants

Tell = Callable[[str], object]


@dataclass
class Findings:
    """What the stages have found, by key of variant unless said otherwise."""

    gathered: dict[str, Gathered] = field(default_factory=dict)
    energy: dict[str, Energy] = field(default_factory=dict)
    cold_ms: dict[str, float | None] = field(default_factory=dict)
    memory: dict[str, Memory] = field(default_factory=dict)
    quality: dict[tuple[object, ...], Quality] = field(default_factory=dict)  # by Subject.computes
    album: Album = field(default_factory=Album)
    power: Power | None = None
    roofline: dict[str, Any] | None = None
    starts: int = 0  # cold, of each variant


def bench(
    wish: Wish,
    plan: Plan,
    *,
    tell: Tell,
    scales: Scales | None = None,
) -> Report:
    """Measure every variant of the wish. tell: gets a line for each stage. scales: None takes the meter there is.

    Raises what ``check_devices``, ``open_variants`` and ``judge`` raise.
    """
    check_devices(plan.roofline)
    start_s, surroundings = time.perf_counter(), Surroundings()
    log, scales = Log(tell), scales or Scales(start_s)
    scales.rest(Lengths.of(plan.minutes).idle_s)
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="edge-sr-bench-") as name:
        subjects = open_variants(wish, stack, warn=log.warn)
        log.simulated = any(subject.simulated for subject in subjects)
        findings = _found(subjects, plan, scales, Path(name), log)
    gpu = _gpu() if any(subject.backend.endswith(("tensorrt", "cuda")) for subject in subjects) else None
    conditions = surroundings.told(gpu=gpu)
    variants = tuple(_variant(subject, findings) for subject in subjects)
    return Report(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        code_version=__version__,
        conditions=conditions,
        options=_asked(wish, plan),
        variants=variants,
        warnings=(*log.warnings, *caveats(conditions, variants)),
        simulated=log.simulated,
        power=findings.power,
        roofline=findings.roofline,
        panels=tuple(findings.album.panels),
        pictures=findings.album.pictures,
        seconds=round(time.perf_counter() - start_s, 1),
    )


class Log:
    """Tells on, and keeps the warnings; of a simulated run every line says so."""

    def __init__(self, tell: Tell) -> None:
        self.warnings: list[str] = []
        self.simulated = False
        self._tell = tell

    def __call__(self, line: str) -> None:
        self._tell(f"SIMULATED {line}" if self.simulated else line)

    def warn(self, line: str) -> None:
        self.warnings.append(line)
        self(f"warning: {line}")


def _found(subjects: Sequence[Subject], plan: Plan, scales: Scales, folder: Path, log: Log) -> Findings:
    """Stage by stage; what is timed comes first, on a machine that nothing else has warmed."""
    findings, lengths = Findings(), Lengths.of(plan.minutes)
    _time(subjects, findings, plan, lengths, folder, log)
    if scales.meter is not None:
        log(f"energy: {lengths.energy_s:.0f} s, by {scales.meter}")
        findings.energy, findings.power = scales.weigh(findings.gathered, seconds=lengths.energy_s)
    _judge(subjects, findings, plan, log)
    if plan.cold_starts and not log.simulated:  # a process of its own finds no stand-in
        _start_cold(subjects, findings, plan, folder, log)
    if plan.roofline:
        log(f"roofline: {', '.join(plan.roofline)}")
        findings.roofline = limits_of(subjects, plan.roofline, warn=log.warn)
    return findings


def _asked(wish: Wish, plan: Plan) -> dict[str, Any]:
    """What was asked for, without the places of folders and files, which are nobody's business."""
    named: dict[str, Any] = {"models": [Path(word).name for word in wish.models]}
    for name, path in (("quality", plan.quality), ("lpips", plan.lpips)):
        named[name] = None if path is None else path.name
    return plain({**asdict(wish), **asdict(plan), **named})


def _time(
    subjects: Sequence[Subject], findings: Findings, plan: Plan, lengths: Lengths, folder: Path, tell: Tell
) -> None:
    for subject in subjects:
        tell(f"warming up: {subject.title}")
        findings.gathered[subject.key] = gather(subject, folder)
        settle(findings.gathered[subject.key], limit_s=lengths.warm_up_s / len(subjects))
    tell(f"timing: {len(subjects)} variants in {plan.rounds} rounds, {lengths.latency_s:.0f} s")
    measure_latency(list(findings.gathered.values()), seconds=lengths.latency_s, rounds=plan.rounds)
    tell(f"throughput: {lengths.throughput_s + lengths.stream_s:.0f} s")
    by_key = {subject.key: subject for subject in subjects}
    measure_throughput(by_key, findings.gathered, batches=plan.batches, lengths=lengths, rounds=plan.rounds)


def _judge(subjects: Sequence[Subject], findings: Findings, plan: Plan, log: Log) -> None:
    """Quality on a folder where one is given; panels in either case."""
    with ExitStack() as stack:
        makers = makers_of(subjects, stack)
        pictures = phantoms(SIDE, 1)
        if plan.quality is not None:
            pictures = pictures_in(plan.quality, limit=plan.limit, side=plan.hr_side)
            lpips = None if plan.lpips is None else stack.enter_context(OnnxRuntime().open(plan.lpips))
            findings.quality = judge(makers, pictures, lpips=lpips, warn=log.warn, tell=log)
        if plan.panels:
            findings.album = album_of(makers, to_show(pictures, list(findings.quality.values())))


def _start_cold(subjects: Sequence[Subject], findings: Findings, plan: Plan, folder: Path, log: Log) -> None:
    log(f"cold starts: {plan.cold_starts + 1} of each")
    findings.starts = plan.cold_starts
    choices, sizes = [each.choice for each in subjects], [each.size for each in subjects]
    cold_ms = cold_starts_ms(choices, sizes, folder, rounds=plan.cold_starts)
    for subject, ms in zip(subjects, cold_ms, strict=True):
        findings.cold_ms[subject.key] = ms
        if ms is None:
            log.warn(f"{subject.title}: edge-sr run failed as a process of its own, so there is no cold start")
        asked = (subject.choice, subject.size, folder)
        findings.memory[subject.key] = Memory(peak_mib(*asked), steady_mib(subject.choice, subject.size))


def _variant(subject: Subject, findings: Findings) -> Variant:
    found = recorded(
        subject,
        findings.gathered[subject.key],
        cold_start_ms=findings.cold_ms.get(subject.key),
        starts=findings.starts,
        memory=findings.memory.get(subject.key),
    )
    return replace(found, energy=findings.energy.get(subject.key), quality=findings.quality.get(subject.computes))


def _gpu() -> dict[str, Any]:
    from edge_sr.backends.cuda_driver import probe

    return asdict(probe())
