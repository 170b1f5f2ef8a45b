"""Which networks are run for a chain: an engine that was built for this machine, or the bundle's own float32 files."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass

from edge_sr.artifacts.bundle import file_sha256, word_for
from edge_sr.artifacts.chain import Chain, Networks
from edge_sr.artifacts.engine_cache import best, cache_folders, entries
from edge_sr.artifacts.engine_entry import Damaged, Entry
from edge_sr.artifacts.engine_key import machine_for
from edge_sr.artifacts.engine_manifest import MANIFEST
from edge_sr.backends.base import Backend
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.device.facts import read_facts
from edge_sr.errors import EnvironmentFault, UsageError

AUTO = "auto"
CHOICES = (AUTO, "fp32", "fp16", "int8")
BACKENDS = ("tensorrt", "onnxruntime")

Note = Callable[[str], None]
"""Told of what is passed over, a line each."""


def untold(line: str) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class Choice:
    """What runs a chain."""

    backend: Backend
    networks: Networks


def choose(
    chain: Chain,
    *,
    backend: str | None = None,
    precision: str = AUTO,
    threads: int | None = None,
    provider: str | None = None,
    note: Note = untold,
) -> Choice:
    """The engine that ran fastest when it was built, of one backend or of any; else the bundle's files on the CPU.

    backend: one of BACKENDS, None for any. precision: one of CHOICES. threads: of ONNX Runtime; None takes all cores.
    provider: what ONNX Runtime computes on, "cpu" or "cuda"; naming one asks for that backend. "cuda" runs the bundle's
    files alone: engines are built for the CPU.
    EnvironmentFault, with what to type, where such an engine is asked for and there is none for this machine.
    """
    found = []
    if provider is not None:
        _check_provider_goes_with(provider, backend, precision)
        backend = "onnxruntime"
    if backend != "onnxruntime" and (backend or _has_engines(chain, "tensorrt")):
        try:
            tensorrt = _tensorrt(note)
            found.append(Choice(tensorrt, choose_networks(chain, tensorrt, precision=precision, note=note)))
        except EnvironmentFault as fault:
            if backend == "tensorrt":
                raise
            note(f"its TensorRT engines are not used: {fault.what}")
    if backend != "tensorrt":
        onnxruntime = OnnxRuntime(threads, provider=provider or "cpu")
        try:
            found.append(Choice(onnxruntime, choose_networks(chain, onnxruntime, precision=precision, note=note)))
        except EnvironmentFault:
            if not found:
                raise
    return max(found, key=lambda each: each.networks.speedup)


def _check_provider_goes_with(provider: str, backend: str | None, precision: str) -> None:
    where = f"--provider {provider}"
    if backend == "tensorrt":
        raise UsageError("is of ONNX Runtime and not of TensorRT", where=where, hint="leave out one of the two")
    if provider == "cuda" and precision not in (AUTO, "fp32"):
        what = f"has no {precision} engines: those for ONNX Runtime are for the CPU"
        raise UsageError(what, where=where, hint="--precision fp32, or --backend tensorrt in its place")


def _has_engines(chain: Chain, backend: str) -> bool:
    """Without asking the GPU, which takes longer than a picture."""
    found = (each for folder in cache_folders() for each in entries(folder) if isinstance(each, Entry))
    return any(each.key.chain_sha256 == chain.sha256 and each.key.backend == backend for each in found)


def _tensorrt(note: Note) -> Backend:
    """It copies pictures to the GPU or not, whichever was measured to be faster there."""
    from edge_sr.backends.trt.host_memory import tensorrt_as_measured

    return tensorrt_as_measured(note)


def choose_networks(chain: Chain, backend: Backend, *, precision: str = AUTO, note: Note = untold) -> Networks:
    """``auto`` takes the fastest engine of any precision, and the bundle's own files where there is none.

    precision: one of CHOICES; EnvironmentFault, with what to type, where fp16 or int8 is asked for and there is no such
    engine for this machine, and where the backend runs engines alone. note: is told of each engine that is damaged.
    """

    def refused(damaged: Damaged) -> None:
        note(f"engine {damaged.name} is not used: {damaged.reason}; try: edge-sr engines prune")

    wanted = None if precision == AUTO else precision
    simulated = bool(getattr(backend, "simulated", False))  # of TensorRT alone, on the tests' simulator
    machine = machine_for(backend, read_facts())
    entry = best(chain.sha256, machine, precision=wanted, simulated=simulated, refused=refused)
    if entry is not None:
        return networks_of(entry)
    if precision in (AUTO, "fp32") and backend.name == "onnxruntime":
        return Networks.of_bundle(chain)
    raise EnvironmentFault(
        f"no {'' if precision == AUTO else precision + ' '}engine of this model for {backend.name} {backend.version}"
        " on this machine",
        where=chain.bundle.folder,
        hint=build_command(chain, precision),
    )


def networks_of(entry: Entry) -> Networks:
    """The engines of a verified entry."""
    manifest_sha256 = file_sha256(entry.folder / MANIFEST)  # it holds those of the engines
    return Networks(
        entry.engines(),
        precision=entry.manifest.precision,
        engine=entry.name,
        engine_sha256=manifest_sha256,
        speedup=entry.manifest.speedup,
        largest_batch=entry.key.batch[2],
    )


def build_command(chain: Chain, precision: str = AUTO) -> str:
    """What to type for an engine of the chain."""
    word = word_for(chain.bundle.folder)
    words = ["edge-sr", "build", *([] if word == "default" else [word]), "--precision", precision]
    if not chain.default:
        words += ["--sampler", chain.sampler, "--steps", str(chain.steps)]
    return shlex.join(words)
