"""The bundles that ship, the engines that were built, and the one that ``edge-sr run`` would take.

What reads them needs numpy and OpenCV, so it is imported inside the functions: the doctor runs where these are missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge_sr.doctor import packages
from edge_sr.doctor.check import Check
from edge_sr.doctor.surroundings import Surroundings
from edge_sr.errors import EdgeSRError, EnvironmentFault, IntegrityError

if TYPE_CHECKING:
    from edge_sr.artifacts.engine_cache import Standing
    from edge_sr.artifacts.engine_entry import Damaged, Entry
    from edge_sr.backends.trt.host_memory import HostMemory

REINSTALL = "pip install --force-reinstall --no-deps edge-sr"
# What each standing of edge_sr.artifacts.engine_cache asks for; the others ask for nothing.
_PRUNED = ("damaged", "stale")

Judged = Sequence[tuple["Entry | Damaged", "Standing"]]


def checks(here: Surroundings) -> Iterator[Check]:
    if not packages.packages_work():
        yield Check("bundle", "note", "not verified before the packages above are there")
        return
    yield from check_bundles()
    if packages.check_onnxruntime(here).status == "fault":
        yield Check("engine", "note", "not looked for before ONNX Runtime is there")
        return
    yield from check_hands()
    built = judged_engines()
    if built:
        yield check_built(built)
    yield from check_engine(built)
    if here.gpu is not None and (host_memory := check_host_memory(here)):
        yield host_memory


def check_bundles() -> Iterator[Check]:
    """The default one, and those of the others that are there."""
    from edge_sr.artifacts.bundle import SHIPPED, shipped_bundle

    for word in SHIPPED:
        if word == "default" or shipped_bundle(word).is_dir():
            yield check_bundle(shipped_bundle(word))


def check_bundle(folder: Path) -> Check:
    """Every file against its sha256."""
    from edge_sr.artifacts.bundle import Bundle

    try:
        manifest = Bundle.open(folder).manifest
    except EdgeSRError as error:
        return Check("bundle", "fault", f"{folder}: {error.what}", REINSTALL)
    return Check("bundle", "ok", f"{manifest.name} {manifest.version}, every file as listed")


def check_hands() -> Iterator[Check]:
    """Folders of the cache that somebody else could change: nothing in them is used, however sound."""
    from edge_sr.artifacts.engine_cache import cache_folders

    for folder in cache_folders():
        if fault := _fault_of(folder):
            cure = fault.hint.partition(" (")[0].partition(", or ")[0]
            yield Check("built", "note", f"{folder}: {fault.what}, so its engines are not used", cure)


def _fault_of(folder: Path) -> EnvironmentFault | None:
    from edge_sr.artifacts.engine_folder import check_folder

    try:
        check_folder(folder)
    except EnvironmentFault as fault:
        return fault
    except OSError:  # not made yet, or closed to this user
        return None
    return None


def judged_engines() -> list[tuple[Entry | Damaged, Standing]]:
    """Every entry of a cache in good hands and what it is worth here: hashes, owner, mode, machine."""
    from edge_sr.artifacts.engine_cache import cache_folders, entries, standing
    from edge_sr.backends.here import machines_here

    found = [each for folder in cache_folders() if _fault_of(folder) is None for each in entries(folder)]
    machines = machines_here() if found else {}  # they ask the GPU
    return [(each, standing(each, machines)) for each in found]


def check_built(built: Judged) -> Check:
    counts = Counter(stands.status for _, stands in built)
    summary = ", ".join(f"{number} {status}" for status, number in counts.items())
    if set(counts) == {"sound"}:
        return Check("built", "ok", f"{summary}, every file as published")
    damaged = [f"{each.name}: {stands.reason}" for each, stands in built if stands.status == "damaged"]
    told = f" ({damaged[0].partition('; expected')[0]})" if damaged else ""
    hint = "edge-sr engines prune" if set(counts) & set(_PRUNED) else "edge-sr engines list"
    return Check("built", "note", summary + told, hint)


def check_engine(built: Judged) -> Iterator[Check]:
    """The one that would run for the default bundle, loaded. A note where there is none: float32 runs anywhere."""
    from edge_sr.models import load_model

    passed_over: list[str] = []
    try:
        with load_model(precision="auto", note=passed_over.append) as model:
            made_with = model.provenance
            if made_with["engine"]:
                model.open()
    except EdgeSRError as error:
        yield Check("engine", "fault", error.what, error.hint or "edge-sr run --precision fp32")
        return
    damaged = [line for line in passed_over if line.startswith("engine ")]  # check_built has told of those
    yield from (Check("engine", "note", line) for line in passed_over if line not in damaged)
    runs = f"{made_with['precision']} on {made_with['backend']}"
    if made_with["engine"]:
        yield Check("engine", "ok", f"{runs}: {made_with['engine']}")
    elif _serves_default(built):
        yield Check("engine", "ok", f"{runs}: no engine is faster here")
    else:
        yield Check("engine", "note", f"none for this machine, so {runs}", "edge-sr build")


def _serves_default(built: Judged) -> bool:
    """Whether an engine of the default bundle is sound here, be it a slow one."""
    from edge_sr.artifacts.bundle import Bundle, default_bundle
    from edge_sr.artifacts.chain import chain_of
    from edge_sr.artifacts.engine_entry import Entry

    sound = {each.key.chain_sha256 for each, stands in built if stands.status == "sound" and isinstance(each, Entry)}
    return bool(sound) and chain_of(Bundle.open(default_bundle())).sha256 in sound


def check_host_memory(here: Surroundings) -> Check | None:
    """What ``edge-sr doctor --measure`` recorded of this GPU; None where there is nothing to choose."""
    from edge_sr.artifacts.engine_cache import cache_folders
    from edge_sr.backends.trt.host_memory import recorded_host_memory

    assert here.gpu is not None
    again = "edge-sr doctor --measure"
    for folder in cache_folders():
        try:
            measured = recorded_host_memory(folder, here.gpu.name)
        except IntegrityError as error:
            return Check("host memory", "note", f"{error.where}: {error.what}, so it is not used", again)
        if measured is not None:
            return Check("host memory", "note" if measured.simulated else "ok", told(measured))
    if not here.gpu.integrated:
        return None  # a copy to a memory of its own is the rule there
    found = "not measured: zero-copy, as the GPU shares the processor's memory"
    return Check("host memory", "note", found, f"{again} (after edge-sr build)")


def told(measured: HostMemory) -> str:
    return f"{'zero-copy' if measured.zero_copy else 'copies'}: {measured.told}"


def measure() -> HostMemory:
    """Time both modes with the fastest TensorRT engine of the default bundle, and record it where builds go.

    EnvironmentFault, with what to type, where there is no GPU, no such engine or no folder to write to.
    """
    from edge_sr.artifacts.bundle import Bundle, default_bundle
    from edge_sr.artifacts.chain import chain_of
    from edge_sr.artifacts.engine_folder import cache_to_write
    from edge_sr.backends.trt.host_memory import measure_host_memory, record_host_memory
    from edge_sr.models.engines import choose

    chosen = choose(chain_of(Bundle.open(default_bundle())), backend="tensorrt", precision="auto")
    folder = cache_to_write()
    measured = measure_host_memory(chosen.networks.files[chosen.networks.roles[0]])
    record_host_memory(folder, measured)
    return measured
