"""bench.json: everything that one run of ``edge-sr bench`` found. The format is described in docs/bench.md.

Figures are as measured; None is "not measured" or "this machine does not tell". Times are milliseconds, powers watts.
Two latencies stand in every variant: ``latency`` from array to array, as a program sees it that holds the picture
(``pipeline.upscale``: to float, tiles, the network, blend, to integers), and ``file_latency`` from one file to the
renamed other, as ``edge-sr run`` works with the session open.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_sr.artifacts.strict_json import Fields, parse_json
from edge_sr.bench.bootstrap import Interval
from edge_sr.bench.records import as_json, from_json
from edge_sr.errors import InputError, IntegrityError
from edge_sr.image.atomic import write_atomically

SCHEMA_VERSION = 1
KIND = "edge-sr bench"
MAX_BYTES = 16 << 20  # of a file: pictures are in it
MOST_SAMPLES = 1000  # of samples_ms, spread evenly over all calls

METRICS = ("psnr_db", "ssim", "haarpsi_med", "lpips", "lr_rmse", "mean_shift")
"""Of Quality.metrics. lpips stands there where its network was given; lr_rmse and mean_shift are grey levels of 255."""
LESS_IS_BETTER = ("lpips", "lr_rmse")
DECILES = 10


@dataclass(frozen=True)
class BundleId:
    """sha256: of the bundle's manifest, which holds those of its files."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True)
class Times:
    """One kind of call, many times. cv: standard deviation over mean. p99_ms: None below 100 calls.

    phases_p50_ms: medians by phase, named and in the order of ``edge_sr.timing.PHASES``; their sum is near p50_ms and
    not equal to it. samples_ms: at most MOST_SAMPLES of the calls, in the order in which they were made.
    """

    calls: int
    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float | None
    mean_ms: float
    cv: float
    least_ms: float
    most_ms: float
    phases_p50_ms: Mapping[str, float] = field(default_factory=dict)
    samples_ms: tuple[float, ...] = ()


@dataclass(frozen=True)
class WarmUp:
    """stable: whether the median stood still before the time was up."""

    calls: int
    seconds: float
    stable: bool


@dataclass(frozen=True)
class Opening:
    """What comes before the first result.

    open_ms: the sessions. first_call_ms: the call after that. cold_start_ms: from launching ``edge-sr run`` as a
    process to its end, one picture, the median of cold_starts; None where that was not tried.
    """

    open_ms: float
    first_call_ms: float
    warm_up: WarmUp
    cold_start_ms: float | None = None
    cold_starts: int = 0


@dataclass(frozen=True)
class Throughput:
    """Calls of so many pictures each. p50_ms: of one call."""

    batch: int
    pictures_per_s: float
    p50_ms: float


@dataclass(frozen=True)
class Memory:
    """In RAM. peak_mib: the most that ``edge-sr run`` as a process held for one picture. steady_mib: what a process
    holds that has the session open and has made many pictures.
    """

    peak_mib: float | None
    steady_mib: float | None


@dataclass(frozen=True)
class Energy:
    """power_w: while picture follows picture. idle_w: before, with nothing open. covers: what the meter measures."""

    meter: str
    covers: str
    joules_per_picture: float
    power_w: float
    idle_w: float | None
    seconds: float
    readings: int


@dataclass(frozen=True)
class Worst:
    """One picture on which the variant did worst. over_bicubic: the same metrics, less bicubic's."""

    picture: str
    metrics: Mapping[str, float]
    over_bicubic: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class AgainstFloat32:
    """The variant's pictures against those of the same chain in float32. psnr_db: of all pixels together, None for
    equal pictures.

    mean_shift: in grey levels of 255, variant less float32. shift_by_decile: the same for the darkest tenth of the
    pixels, as float32 has them, to the brightest; positive is brighter. None where a tenth is empty.
    """

    psnr_db: float | None
    mean_shift: Interval
    shift_by_decile: tuple[float | None, ...]


@dataclass(frozen=True)
class Quality:
    """Against the HR pictures of a folder. metrics: by METRICS. over_bicubic: the same as paired differences, so that
    its intervals are those of the difference. patients: None where names tell none; then pictures are drawn.
    against_float32: None for float32 itself and where it has no chain.
    """

    pictures: int
    patients: int | None
    metrics: Mapping[str, Interval]
    over_bicubic: Mapping[str, Interval] = field(default_factory=dict)
    worst: tuple[Worst, ...] = ()
    against_float32: AgainstFloat32 | None = None


@dataclass(frozen=True)
class Variant:
    """One way to make a picture.

    key: the same in every run that asks for the same, so that runs can be compared: model, sampler and steps,
    precision, backend, threads, size. title: for people. model: the word or folder name that was asked for.
    precision: what it really is; asked: what was asked for, as "auto". engine: name of the cache entry, None for the
    bundle's own files. size: of the LR picture, [width, height]. parameters: weights; macs: of one picture of a tile's
    size, multiply-accumulates; None where they were not counted.
    peer: it is no edge-sr, it stands beside it; note: what to know of it, such as "random weights".
    outside_session_ms: of a file's median time, what lies outside the model's calls.
    """

    key: str
    title: str
    model: str
    bundle: BundleId | None
    backend: str
    precision: str
    size: tuple[int, int]
    scale: int
    latency: Times
    opening: Opening
    asked: str = "auto"
    family: str | None = None
    engine: str | None = None
    engine_bytes: int | None = None
    build_seconds: float | None = None
    sampler: str | None = None
    steps: int | None = None
    threads: int | None = None
    parameters: int | None = None
    macs: int | None = None
    peer: bool = False
    note: str = ""
    file_latency: Times | None = None
    outside_session_ms: float | None = None
    throughput: tuple[Throughput, ...] = ()
    stream_pictures_per_s: float | None = None
    memory: Memory | None = None
    energy: Energy | None = None
    quality: Quality | None = None


@dataclass(frozen=True)
class Window:
    """When a variant worked, in the seconds of ``Power.samples``."""

    variant: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Power:
    """samples: (seconds since the start of the run, watts)."""

    meter: str
    covers: str
    samples: tuple[tuple[float, float], ...]
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True)
class Conditions:
    """What a figure depends on beside the code.

    machine: board, cpu_model, machine (instruction set), system, cores, memory_mib and the like, as in
    ``edge_sr.device.facts``. gpu: name and the like, None where none is used. versions: of packages, by name.
    before, after: temperatures_c, clocks_mhz, power_mode, jetson_clocks, throttling. throttling: why clocks were held
    down in between, None where nothing tells. load_average: programs that wanted to run in the minute before.
    """

    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    power_mode: str | None
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    throttling: tuple[str, ...] | None
    load_average_before: float | None
    load_average_after: float | None
    gpu: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Panel:
    """Pictures of one input that belong side by side.

    images: names in ``Report.pictures`` by role: lr (of its own size, so to be enlarged), bicubic, sr, hr, float32,
    difference (8 times sr less float32, 128 is none). sr is the variant's own result.
    """

    variant: str
    picture: str
    images: Mapping[str, str]
    mean_shift: float | None = None


@dataclass(frozen=True)
class Report:
    """warnings: sentences that explain themselves, the important ones first. options: as given on the command line.

    simulated: on the tests' stand-in for TensorRT; then nothing here is a measurement. roofline: room
    ``edge_sr.bench.roofline``'s own object. pictures: PNG files in base64.
    """

    created: str
    code_version: str
    conditions: Conditions
    options: Mapping[str, Any]
    variants: tuple[Variant, ...]
    warnings: tuple[str, ...] = ()
    simulated: bool = False
    power: Power | None = None
    roofline: Mapping[str, Any] | None = None
    panels: tuple[Panel, ...] = ()
    pictures: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    schema_version: int = SCHEMA_VERSION
    kind: str = KIND

    def to_json(self) -> dict[str, Any]:
        """What ``parse_report`` reads back to an equal report."""
        whole = as_json(self)
        first = ("schema_version", "kind", "simulated")
        return {**{name: whole[name] for name in first}, **whole}

    def variant(self, key: str) -> Variant | None:
        return next((each for each in self.variants if each.key == key), None)


def parse_report(raw: object, where: object = "bench.json") -> Report:
    """Strict: IntegrityError names the field, what stands there and what would fit."""
    fields = Fields(raw, f"{where}: ")
    fields.take("kind", KIND, lambda value: value == KIND)
    version = fields.take("schema_version", f"{SCHEMA_VERSION}", lambda value: type(value) is int)
    if version != SCHEMA_VERSION:
        hint = "pip install --upgrade edge-sr" if version > SCHEMA_VERSION else "edge-sr bench, anew"
        rule = f"{SCHEMA_VERSION}, the only version that this release reads"
        raise fields.unfit("schema_version", version, rule, hint)
    report = from_json(Report, raw, where)
    for name, content in report.pictures.items():
        _check_picture(content, f"{where}: pictures.{name}")
    return report


def _check_picture(content: str, where: str) -> None:
    """It goes into a page as it is: nothing but a PNG may stand there."""
    try:
        if base64.b64decode(content, validate=True).startswith(b"\x89PNG\r\n\x1a\n"):
            return
    except ValueError:
        pass
    raise IntegrityError("is no PNG in base64", where=where)


def read_report(path: Path) -> Report:
    """InputError where the file cannot be read, IntegrityError where it is no report of this version."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=path) from error
    return parse_report(parse_json(content, path, most_bytes=MAX_BYTES), path)


def write_report(path: Path, report: Report) -> None:
    """Replaces the file. EnvironmentFault where it cannot be written."""
    text = json.dumps(report.to_json(), indent=1) + "\n"
    write_atomically(path, text.encode(), overwrite=True)
