"""What is measured: every combination of what was asked for, opened as ``edge-sr run`` would open it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from edge_sr.artifacts.bundle import SHIPPED, Bundle, bundle_folder
from edge_sr.artifacts.engine_cache import cache_folders
from edge_sr.artifacts.engine_entry import Entry, read_entry
from edge_sr.backends.onnxrt import MOST_THREADS, OnnxRuntime
from edge_sr.bench.schema import BundleId
from edge_sr.device.cores import usable_physical_cores
from edge_sr.errors import EdgeSRError, EnvironmentFault, UsageError
from edge_sr.models import BICUBIC, load_model
from edge_sr.models.base import SRModel
from edge_sr.models.bundle_model import BundleModel
from edge_sr.models.engines import AUTO

if TYPE_CHECKING:
    from edge_sr.backends.base import Session

Warn = Callable[[str], None]

PRECISIONS = ("fp32", "int8")  # where none is asked for
SIDE = 64  # LR pixels; of a model without tiles


@dataclass(frozen=True)
class Wish:
    """Every combination is a variant. None stands for the model's or the backend's default.

    models: words or bundle folders. sizes: (width, height) of the LR picture.
    """

    models: tuple[str, ...]
    precisions: tuple[str, ...] = PRECISIONS
    backends: tuple[str | None, ...] = (None,)
    steps: tuple[int | None, ...] = (None,)
    threads: tuple[int | None, ...] = (None,)
    sizes: tuple[tuple[int, int] | None, ...] = (None,)
    sampler: str | None = None
    provider: str | None = None


@dataclass(frozen=True)
class Choice:
    """One combination; see Wish."""

    word: str
    precision: str = AUTO
    backend: str | None = None
    steps: int | None = None
    threads: int | None = None
    size: tuple[int, int] | None = None
    sampler: str | None = None
    provider: str | None = None

    def load(self, note: Warn) -> SRModel:
        if self.word == BICUBIC:
            return load_model(BICUBIC)
        return load_model(
            self.word,
            sampler=self.sampler,
            steps=self.steps,
            threads=self.threads,
            precision=self.precision,
            backend=self.backend,
            provider=self.provider,
            note=note,
        )

    @property
    def run_options(self) -> list[str]:
        """Of ``edge-sr run``, for the same."""
        names = ("sampler", "steps", "threads", "precision", "backend", "provider") if self.word != BICUBIC else ()
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        options = {"model": self.word, **given}
        return [word for name, each in options.items() for word in (f"--{name}", str(each))]

    def __str__(self) -> str:
        parts = [Path(self.word).name, self.precision, self.backend, self.provider, self.sampler]
        parts += [_counted(self.steps, "step"), _counted(self.threads, "thread")]
        return " ".join(part for part in parts if part)


@dataclass(frozen=True)
class Subject:
    """A variant, open. entry: of the engine cache; None for the bundle's own files. title: what sets it apart."""

    key: str
    choice: Choice
    model: SRModel
    size: tuple[int, int]
    backend: str
    precision: str
    open_ms: float
    sampler: str | None = None
    steps: int | None = None
    threads: int | None = None
    bundle: Bundle | None = None
    entry: Entry | None = None
    title: str = ""
    notes: tuple[str, ...] = field(default=())

    @property
    def simulated(self) -> bool:
        return self.entry is not None and self.entry.manifest.simulated

    @property
    def identity(self) -> BundleId | None:
        if self.bundle is None:
            return None
        return BundleId(self.bundle.manifest.name, self.bundle.manifest.version, self.bundle.sha256)

    @property
    def session(self) -> Session | None:
        """The one network that does it all; None where there is no such."""
        if not isinstance(self.model, BundleModel) or not self.model.networks.composed:
            return None
        return self.model.session("upscale")

    @property
    def computes(self) -> tuple[object, ...]:
        """What its pictures depend on; variants that differ elsewhere make the same ones."""
        return (self.choice.word, self.sampler, self.steps, self.precision, self.backend, self.choice.precision)


def default_models() -> tuple[str, ...]:
    """The bundles that come with the package, and interpolation."""
    return (*(word for word in SHIPPED if bundle_folder(word).is_dir()), BICUBIC)


def open_variants(wish: Wish, stack: ExitStack, *, warn: Warn) -> list[Subject]:
    """All that can be had, open until the stack is left; one model's engine is never taken for another's.

    warn: is told of each that is left out, and what to type for it. UsageError for a model that does not exist;
    EnvironmentFault where nothing is left.
    """
    bundles = {word: Bundle.open(bundle_folder(word)) for word in wish.models if word != BICUBIC}
    subjects: dict[str, Subject] = {}
    if bundles:
        with suppress(EnvironmentFault):  # its import is no part of the first variant's opening
            OnnxRuntime()
    for choice in _choices(wish):
        try:
            subject = _opened(choice, bundles.get(choice.word), stack, warn)
        except (EnvironmentFault, UsageError) as error:
            warn(f"{choice} is left out: {_one_line(error)}")
            continue
        subjects.setdefault(subject.key, subject)
    if not subjects:
        raise EnvironmentFault("no variant can be measured here", hint="edge-sr build; edge-sr doctor")
    return _titled(list(subjects.values()))


def _choices(wish: Wish) -> Iterator[Choice]:
    """Bicubic has sizes alone."""
    for word, size in product(wish.models, wish.sizes):
        if word == BICUBIC:
            yield Choice(word, size=size)
            continue
        rest = product(wish.steps, wish.precisions, wish.backends, wish.threads)
        for steps, precision, backend, threads in rest:
            yield Choice(word, precision, backend, steps, threads, size, wish.sampler, wish.provider)


def _opened(choice: Choice, bundle: Bundle | None, stack: ExitStack, warn: Warn) -> Subject:
    notes: list[str] = []
    start_s = time.perf_counter()
    model = stack.enter_context(choice.load(notes.append))
    model.open()
    open_ms = (time.perf_counter() - start_s) * 1e3
    for note in notes:
        warn(f"{choice}: {note}")
    told = model.provenance
    side = model.tile or SIDE
    engine = told.get("engine")
    subject = Subject(
        key="",
        choice=choice,
        model=model,
        size=choice.size or (side, side),
        backend=_backend(str(told["backend"])),
        precision=str(told["precision"]),
        open_ms=open_ms,
        sampler=_text(told.get("sampler")),
        steps=_integer(told.get("steps")),
        threads=_threads(choice, str(told["backend"])),
        bundle=bundle,
        entry=_entry(str(engine)) if engine else None,
        notes=tuple(notes),
    )
    return replace(subject, key=_key(subject))


def _backend(told: str) -> str:
    """ "onnxruntime 1.31.1, CUDA" without the version: "onnxruntime-cuda"."""
    name = told.partition(" ")[0]
    return f"{name}-cuda" if told.endswith(", CUDA") else name


def _threads(choice: Choice, backend: str) -> int | None:
    """Those that ONNX Runtime takes; None where others decide."""
    if not backend.startswith("onnxruntime"):
        return None
    return choice.threads or min(usable_physical_cores(), MOST_THREADS)


def _entry(name: str) -> Entry | None:
    for folder in cache_folders():
        found = read_entry(folder / name)
        if isinstance(found, Entry):
            return found
    return None


def _key(subject: Subject) -> str:
    """The same in every run that asks for the same, without versions: runs of different ones are to be compared."""
    size = "x".join(map(str, subject.size))
    if subject.bundle is None:
        return f"{subject.choice.word}-{size}"
    sampled = [f"{subject.sampler}-{subject.steps}"] if subject.sampler else []
    threads = [f"t{subject.threads}"] if subject.threads else []
    parts = [subject.bundle.manifest.name, *sampled, subject.precision, subject.backend, *threads, size]
    return "-".join(parts)


def _titled(subjects: Sequence[Subject]) -> list[Subject]:
    """Model and precision, and what else is not the same in all."""
    several = [
        (len({_shown(each, part) for each in subjects if each.bundle}) > 1, part)
        for part in ("sampler", "steps", "backend", "threads")
    ]
    sizes = len({each.size for each in subjects}) > 1
    titled = []
    for each in subjects:
        parts = [each.choice.word if each.bundle is None else each.bundle.manifest.name]
        if each.bundle is not None:
            parts += [each.precision, *(_shown(each, part) for differs, part in several if differs)]
        parts += ["x".join(map(str, each.size))] if sizes else []
        titled.append(replace(each, title=" ".join(part for part in parts if part)))
    return titled


def _shown(subject: Subject, part: str) -> str:
    value = getattr(subject, part)
    if part in ("steps", "threads"):
        return _counted(value, part.removesuffix("s"))
    return "" if value is None else str(value)


def _counted(count: int | None, what: str) -> str:
    return "" if count is None else f"{count} {what}{'' if count == 1 else 's'}"


def _one_line(error: EdgeSRError) -> str:
    return str(error).replace("\n  try: ", "; try: ")


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) else None
