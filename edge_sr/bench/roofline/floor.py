"""The roofline itself: how fast a device could be at best, launch by launch, and what holds it back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_sr.bench.roofline.devices import Device
from edge_sr.bench.roofline.node_times import Profile
from edge_sr.bench.roofline.work import PROJECTION, Work, is_typed, work_of
from edge_sr.errors import EnvironmentFault, InputError

if TYPE_CHECKING:
    from onnx import ModelProto

LABEL = "prediction"
CLOCK_MS = 0.001  # ONNX Runtime's profiler writes whole microseconds
PEAK_ERROR = 0.03  # of a measured ceiling: two measurements on one machine differ by so much
STAGES = ("encoder", "denoiser", "decoder", "generator", PROJECTION)


@dataclass(frozen=True)
class Floor:
    """The least time of one launch. bound: "compute", "memory" or "launch", whichever takes longest.

    measured_ms: the median of that node, or nodes, in ONNX Runtime; least_ms: the least. None where not measured.
    """

    work: Work
    compute_ms: float
    memory_ms: float
    bound: str
    measured_ms: float | None = None
    least_ms: float | None = None

    @property
    def floor_ms(self) -> float:
        """Without the launch."""
        return max(self.compute_ms, self.memory_ms)

    def to_json(self) -> dict[str, object]:
        fields = asdict(self)
        return {**fields.pop("work"), **fields, "floor_ms": self.floor_ms}


@dataclass(frozen=True)
class Gap:
    """Launches of one kind together. times: measured over floor, None where nothing bounds it but its launch.

    measured_ms: the sum of medians; least_ms: of the least times.
    """

    kind: str
    launches: int
    floor_ms: float
    least_ms: float
    measured_ms: float
    times: float | None

    @property
    def gap_ms(self) -> float:
        return self.measured_ms - self.floor_ms


@dataclass(frozen=True)
class Roofline:
    """A prediction. as_written: the graph said itself what is computed in 8 bits; else ``precision`` was assumed.

    profile: the same graph measured on this machine, None for any other.
    """

    device: Device
    graph: str
    precision: str
    as_written: bool
    floors: tuple[Floor, ...]
    profile: Profile | None = None

    @property
    def compute_ms(self) -> float:
        """With memory of no cost: nothing can be faster than this, whatever caches hold."""
        return sum(each.compute_ms for each in self.floors)

    @property
    def memory_ms(self) -> float:
        """With arithmetic of no cost, every tensor being read and written once by each launch."""
        return sum(each.memory_ms for each in self.floors)

    @property
    def launch_ms(self) -> float:
        return len(self.floors) * self.device.launch_us / 1e3

    @property
    def floor_ms(self) -> float:
        """Of one picture: each launch as long as its bound, and the cost of launching."""
        return sum(each.floor_ms for each in self.floors) + self.launch_ms

    @property
    def bound(self) -> str:
        """What most of the floor is."""
        parts = {"launch": self.launch_ms, "compute": 0.0, "memory": 0.0}
        for each in self.floors:
            parts["compute" if each.compute_ms >= each.memory_ms else "memory"] += each.floor_ms
        return max(parts, key=lambda name: parts[name])

    @property
    def energy_mj(self) -> float | None:
        """Of one picture, at the power that the module is allowed; None where that is not known."""
        return None if self.device.power_w is None else self.device.power_w * self.floor_ms

    @property
    def above(self) -> tuple[str, ...]:
        """Launches whose floor is no floor: they were measured to be faster, at their best. A sound count has none."""
        measured = ((each, each.least_ms) for each in self.floors if each.least_ms is not None)
        return tuple(
            each.work.name for each, least_ms in measured if least_ms + CLOCK_MS < each.floor_ms * (1 - PEAK_ERROR)
        )

    def stages(self) -> list[dict[str, object]]:
        """Each with its launches, operations, bytes, floor_ms (launches included) and share of the whole."""
        found = _sorted_by(STAGES, {each.work.stage for each in self.floors})
        return [self._stage(name, [each for each in self.floors if each.work.stage == name]) for name in found]

    def _stage(self, name: str, floors: Sequence[Floor]) -> dict[str, object]:
        floor_ms = sum(each.floor_ms for each in floors) + len(floors) * self.device.launch_us / 1e3
        return {
            "stage": name,
            "launches": len(floors),
            "operations": sum(each.work.operations for each in floors),
            "bytes": sum(each.work.bytes for each in floors),
            "floor_ms": floor_ms,
            "share": floor_ms / self.floor_ms,
            "measured_ms": _sum_or_none(each.measured_ms for each in floors),
        }

    def gaps(self) -> list[Gap]:
        """By kind, the largest gap first; [] where nothing was measured."""
        if self.profile is None:
            return []
        kinds = _grouped(self.floors, lambda each: each.work.kind)
        return sorted((_gap(kind, floors) for kind, floors in kinds.items()), key=lambda gap: -gap.gap_ms)

    def to_json(self) -> dict[str, object]:
        """Everything, labelled as a prediction; times in ms, ``nodes`` in the order of the graph."""
        return {
            "label": LABEL,
            "device": self.device.to_json(),
            "graph": self.graph,
            "precision": self.precision,
            "as_written": self.as_written,
            "operations": sum(each.work.operations for each in self.floors),
            "bytes": sum(each.work.bytes for each in self.floors),
            "launches": len(self.floors),
            "compute_ms": self.compute_ms,
            "memory_ms": self.memory_ms,
            "launch_ms": self.launch_ms,
            "floor_ms": self.floor_ms,
            "bound": self.bound,
            "energy_mj": self.energy_mj,
            "stages": self.stages(),
            "nodes": [each.to_json() for each in self.floors],
            "measured": self._measured(),
        }

    def _measured(self) -> dict[str, object] | None:
        if self.profile is None:
            return None
        return {
            **self.profile.summary(),
            "times_floor": self.profile.session_ms / self.floor_ms,
            "above": list(self.above),
            "kinds": [{**asdict(gap), "gap_ms": gap.gap_ms} for gap in self.gaps()],
        }


def roofline(graph_path: Path, *, device: Device, precision: str, profile: Profile | None = None) -> Roofline:
    """How fast the graph, an ONNX file, could be on the device, one picture at a time.

    precision: of a float32 graph, as ``work_of`` gives its nodes types; one that is quantised already is taken as it
    is written. profile: of the same file on this machine (``node_times``), set beside the floors.
    UsageError where the graph leaves sizes open or the device has no such arithmetic.
    """
    return roofline_of_model(loaded(graph_path), Path(graph_path).name, device, precision, profile)


def roofline_of_model(
    model: ModelProto, name: str, device: Device, precision: str, profile: Profile | None = None
) -> Roofline:
    """``roofline`` of a graph that is in memory."""
    ends = "fp16" if "fp16" in device.tops else precision  # as the build leaves them for TensorRT and ONNX Runtime
    works = work_of(model, precision=precision, ends=ends, fused=device.fuses)
    floors = (_floor(work, device) for work in works)
    if profile is not None:
        floors = (_beside(floor, profile) for floor in floors)
    return Roofline(device, name, precision, is_typed(model), tuple(floors), profile)


def loaded(path: Path) -> ModelProto:
    """EnvironmentFault without the package onnx, InputError where the file is none of ONNX."""
    try:
        import onnx
    except ImportError as error:
        hint = 'pip install "edge-sr[build]"'
        raise EnvironmentFault("a roofline needs the package onnx", where=path, hint=hint) from error
    try:
        return onnx.load(str(path))
    except Exception as error:  # protobuf's DecodeError has no public home that all of its versions share
        raise InputError(f"is no ONNX file ({error})", where=path) from error


def _floor(work: Work, device: Device) -> Floor:
    compute_ms = work.operations / device.peak(work.precision) * 1e3
    memory_ms = work.bytes / (device.gb_s * 1e9) * 1e3
    parts = {"compute": compute_ms, "memory": memory_ms, "launch": device.launch_us / 1e3}
    return Floor(work, compute_ms, memory_ms, max(parts, key=lambda name: parts[name]))


def _beside(floor: Floor, profile: Profile) -> Floor:
    times = [profile.nodes[name] for name in floor.work.nodes if name in profile.nodes]
    if len(times) < len(floor.work.nodes):
        return floor
    median, least = sum(time.median_ms for time in times), sum(time.least_ms for time in times)
    return Floor(floor.work, floor.compute_ms, floor.memory_ms, floor.bound, median, least)


def _gap(kind: str, floors: Sequence[Floor]) -> Gap:
    floor_ms = sum(each.floor_ms for each in floors)
    least_ms, measured_ms = (
        sum(each.least_ms or 0.0 for each in floors),
        sum(each.measured_ms or 0.0 for each in floors),
    )
    return Gap(kind, len(floors), floor_ms, least_ms, measured_ms, measured_ms / floor_ms if floor_ms else None)


def _grouped(floors: Iterable[Floor], key: Callable[[Floor], str]) -> Mapping[str, list[Floor]]:
    groups: dict[str, list[Floor]] = {}
    for each in floors:
        groups.setdefault(key(each), []).append(each)
    return groups


def _sorted_by(order: Sequence[str], names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (order.index(name) if name in order else len(order), name))


def _sum_or_none(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if None in known else sum(value or 0.0 for value in known)
