"""The times of open variants: calls from array to array and from file to file, batches, streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import numpy as np

from edge_sr.bench.inputs import batch_of, pictures_of
from edge_sr.bench.latency import WARM_UP_S, WINDOW, warm_up
from edge_sr.bench.plan import Lengths
from edge_sr.bench.schema import Throughput, WarmUp
from edge_sr.bench.turns import Timed, in_turns
from edge_sr.bench.variants import Subject
from edge_sr.image.png import write_png
from edge_sr.models.bundle_model import BundleModel
from edge_sr.pipeline import Workspace, upscale, upscale_file
from edge_sr.timing import Phases

OF_THE_MODEL = ("queue", "copy_in", "compute", "copy_out")  # phases inside a model's call
STREAMED = 32  # pictures
LEAST_WINDOW = 3  # calls, of a variant whose call takes seconds


@dataclass
class Gathered:
    """What one variant has told so far. array, file: see schema.Variant."""

    array: Timed
    file: Timed
    first_call_ms: float = 0.0
    warm: WarmUp = field(default_factory=lambda: WarmUp(0, 0.0, False))
    throughput: list[Throughput] = field(default_factory=list)
    stream_pictures_per_s: float | None = None

    @property
    def outside_session_ms(self) -> float | None:
        """The median over the files of what lies outside the model's calls."""
        if not self.file.taken_ms:
            return None
        inside = [sum(phases.get(name, 0.0) for name in OF_THE_MODEL) for phases in self.file.phases]
        rest = [ms - model for ms, model in zip(self.file.taken_ms, inside, strict=True)]
        return round(float(np.median(rest)), 4)


def gather(subject: Subject, folder: Path) -> Gathered:
    """Nothing is called yet. folder: for files."""
    return Gathered(_from_array(subject), _from_file(subject, folder))


def _from_array(subject: Subject) -> Timed:
    pictures, workspace = cycle(pictures_of(subject.size)), Workspace()
    return Timed(lambda phases: upscale(next(pictures), subject.model, phases=phases, workspace=workspace))


def _from_file(subject: Subject, folder: Path) -> Timed:
    """A PNG of eight bits, into a PNG and its sidecar, by rename."""
    sources = cycle(_files(subject.size, folder))
    target, workspace = folder / f"{subject.key}.png", Workspace()

    def file(phases: Phases) -> None:
        upscale_file(next(sources), target, subject.model, overwrite=True, phases=phases, workspace=workspace)

    return Timed(file)


def _files(size: tuple[int, int], folder: Path) -> list[Path]:
    paths = []
    for number, picture in enumerate(pictures_of(size)):
        paths.append(folder / f"lr-{size[0]}x{size[1]}-{number}.png")
        if not paths[-1].exists():
            write_png(paths[-1], picture.pixels, text={})
    return paths


def settle(gathered: Gathered, *, limit_s: float) -> None:
    """The first call, and then more until they take the same time."""
    gathered.array()
    gathered.first_call_ms = gathered.array.taken_ms[0]
    gathered.array()
    later_ms = gathered.array.taken_ms[1]
    window = int(np.clip(limit_s * 1e3 / 4 / later_ms, LEAST_WINDOW, WINDOW)) if later_ms > 0 else WINDOW
    gathered.warm = warm_up(gathered.array, limit_s=min(limit_s, WARM_UP_S), window=window)
    gathered.file()
    gathered.array.forget()
    gathered.file.forget()


def measure_latency(all_gathered: Sequence[Gathered], *, seconds: float, rounds: int) -> None:
    """Array to array and file to file of every variant, in turns."""
    calls = [call for gathered in all_gathered for call in (gathered.array, gathered.file)]
    in_turns(calls, seconds=seconds, rounds=rounds)


def measure_throughput(
    subjects: Mapping[str, Subject],
    gathered: Mapping[str, Gathered],
    *,
    batches: Sequence[int],
    lengths: Lengths,
    rounds: int,
) -> None:
    """Of models that take the size at once: batch by batch, and a stream where one network does it all."""
    calls = {(key, n): _batch_call(subjects[key], n) for key in subjects for n in _batches(subjects[key], batches)}
    in_turns(list(calls.values()), seconds=lengths.throughput_s, rounds=rounds)
    for (key, batch), call in calls.items():
        p50_ms = float(np.median(call.taken_ms))
        gathered[key].throughput.append(Throughput(batch, round(batch * 1e3 / p50_ms, 3), round(p50_ms, 4)))
    streams = {key: stream for key, subject in subjects.items() if (stream := _stream_call(subject)) is not None}
    in_turns(list(streams.values()), seconds=lengths.stream_s, rounds=rounds, least=1)
    for key, stream in streams.items():
        gathered[key].stream_pictures_per_s = round(STREAMED * 1e3 / float(np.median(stream.taken_ms)), 3)


def _batches(subject: Subject, wanted: Sequence[int]) -> list[int]:
    """Those that the engine takes; none for a picture that is cut into tiles."""
    side = subject.model.tile
    if side is not None and subject.size != (side, side):
        return []
    return [n for n in wanted if subject.model.largest_batch is None or n <= subject.model.largest_batch]


def _batch_call(subject: Subject, batch: int) -> Timed:
    lr, model = batch_of(subject.size, batch, subject.model.channels), subject.model
    return Timed(lambda phases: model(lr, noise=None, fidelity=model.fidelity))


def _stream_call(subject: Subject) -> Timed | None:
    session, model = subject.session, subject.model
    if session is None or not isinstance(model, BundleModel) or not _batches(subject, (1,)):
        return None
    pictures = batch_of(subject.size, STREAMED, model.channels)
    feeds = [dict(model.feeds(pictures[n : n + 1], None, model.fidelity)) for n in range(STREAMED)]

    def stream(phases: Phases) -> None:
        for _ in session.stream(feeds):
            pass

    return Timed(stream)
