"""Which networks are run for a chain: an engine that was built for this machine, or the bundle's own float32 files."""

from __future__ import annotations

from collections.abc import Callable

from edge_sr.artifacts.bundle import default_bundle, file_sha256
from edge_sr.artifacts.chain import Chain, Networks
from edge_sr.artifacts.engine_cache import best
from edge_sr.artifacts.engine_entry import Damaged, Entry
from edge_sr.artifacts.engine_key import machine_for
from edge_sr.artifacts.engine_manifest import MANIFEST
from edge_sr.backends.base import Backend
from edge_sr.device.facts import read_facts
from edge_sr.errors import EnvironmentFault

AUTO = "auto"
CHOICES = (AUTO, "fp32", "fp16", "int8")


def choose_networks(
    chain: Chain, backend: Backend, *, precision: str = AUTO, note: Callable[[str], None] = lambda line: None
) -> Networks:
    """``auto`` takes the fastest engine of any precision, and the bundle's own files where there is none.

    precision: one of CHOICES; EnvironmentFault, with what to type, where fp16 or int8 is asked for and there is no such
    engine for this machine. note: is told of each engine that was passed over because it is damaged.
    """

    def refused(damaged: Damaged) -> None:
        note(f"engine {damaged.name} is not used: {damaged.reason}; try: edge-sr engines prune")

    wanted = None if precision == AUTO else precision
    entry = best(chain.sha256, machine_for(backend, read_facts()), precision=wanted, refused=refused)
    if entry is not None:
        return networks_of(entry)
    if precision in (AUTO, "fp32"):
        return Networks.of_bundle(chain)
    raise EnvironmentFault(
        f"no {precision} engine of this model for {backend.name} {backend.version} on this machine",
        where=chain.bundle.folder,
        hint=build_command(chain, precision),
    )


def networks_of(entry: Entry) -> Networks:
    """The engines of a verified entry."""
    manifest_sha256 = file_sha256(entry.folder / MANIFEST)  # it holds those of the engines
    return Networks(entry.engines(), entry.manifest.precision, entry.name, manifest_sha256, entry.manifest.speedup)


def build_command(chain: Chain, precision: str = AUTO) -> str:
    """What to type for an engine of the chain."""
    ships = chain.bundle.folder.absolute() == default_bundle()
    words = ["edge-sr build", *([] if ships else [str(chain.bundle.folder)]), f"--precision {precision}"]
    if not chain.default:
        words.append(f"--sampler {chain.sampler} --steps {chain.steps}")
    return " ".join(words)
