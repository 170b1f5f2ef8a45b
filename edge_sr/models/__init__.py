"""Super-resolution models, by family: the table is ``edge_sr.artifacts.families``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from edge_sr.artifacts.bundle import SHIPPED, Bundle, bundle_folder
from edge_sr.artifacts.chain import Networks, chain_of
from edge_sr.artifacts.families import FAMILIES
from edge_sr.artifacts.manifest import MANIFEST
from edge_sr.backends.base import Backend
from edge_sr.errors import EnvironmentFault, IntegrityError, UsageError
from edge_sr.models.base import SRModel
from edge_sr.models.bicubic import Bicubic
from edge_sr.models.engines import AUTO, Note, choose, untold

BICUBIC = "bicubic"
WORDS = (*SHIPPED, BICUBIC)  # what may be asked for by name


def load_model(
    name_or_path: str | Path = "default",
    *,
    sampler: str | None = None,
    steps: int | None = None,
    threads: int | None = None,
    precision: str = "fp32",
    backend: str | None = None,
    provider: str | None = None,
    note: Note = untold,
) -> SRModel:
    """The model of one of WORDS, or the one in a bundle folder.

    sampler, steps: None takes the bundle's default. threads: of the backend; None takes all cores.
    precision, backend, provider, note: see ``engines.choose``; unless asked otherwise only float32 engines are looked
    for.
    UsageError for a name that is neither, IntegrityError for a bundle that fails its own hashes.
    """
    if str(name_or_path) == BICUBIC:
        _refuse_diffusion_options(sampler, steps)
        if precision not in (AUTO, "fp32"):
            raise UsageError("bicubic has no engines", where=f"--precision {precision}", hint="leave it out")
        if provider == "cuda":
            raise UsageError("bicubic runs on the CPU", where="--provider cuda", hint="leave it out")
        return Bicubic()
    bundle = Bundle.open(bundle_folder(name_or_path))
    chain = chain_of(bundle, sampler=sampler, steps=steps)
    chosen = choose(chain, backend=backend, precision=precision, threads=threads, provider=provider, note=note)
    return open_model(bundle, chosen.backend, sampler=sampler, steps=steps, networks=chosen.networks)


def load_first(
    names: Sequence[str],
    *,
    sampler: str | None = None,
    steps: int | None = None,
    precision: str = "fp32",
    note: Note = untold,
    **options: Any,
) -> SRModel:
    """The first of several models that can be opened here, open; its ``instead_of`` tells of those before it.

    The next one is taken where an engine or a bundle is missing or refused, so bicubic, which has no engines, comes to
    its turn whatever precision is asked for. options: as of ``load_model``. Raises what the last one raised where none
    can be had, UsageError for a sampler or steps where not all may have them.
    """
    if len(names) > 1 and (sampler or steps):
        raise UsageError("are of one model", where="--sampler, --steps", hint="leave them out, or name one model")
    passed_over: list[str] = []
    for name in names[:-1]:
        try:
            return _opened(name, passed_over, precision=precision, note=note, **options)
        except (EnvironmentFault, IntegrityError) as fault:
            passed_over.append(f"{Path(name).name}: {fault.what}")  # where a folder lies is nobody's business
            note(f"{name} is not used: {fault.where}: {fault.what}")
    if passed_over and names[-1] == BICUBIC:
        precision = AUTO
    chosen = {"sampler": sampler, "steps": steps, "precision": precision, "note": note, **options}
    return _opened(names[-1], passed_over, **chosen)


def _opened(name: str, passed_over: Sequence[str], **options: Any) -> SRModel:
    model = load_model(name, **options)
    model.open()
    model.instead_of = tuple(passed_over)
    return model


def scale_of(names: Sequence[str]) -> int:
    """How many times as wide and high these models make a picture. UsageError where they do not agree."""
    scales = {name: Bicubic.scale if name == BICUBIC else _scale_in(bundle_folder(name)) for name in names}
    if len(set(scales.values())) > 1:
        told = ", ".join(f"{name} {scale}" for name, scale in scales.items())
        raise UsageError(f"these models have different scales: {told}", where="--model", expected="one scale")
    return next(iter(scales.values()))


def _scale_in(folder: Path) -> int:
    """Of a bundle that need not be sound; 4 where that cannot be told, as loading it will tell what is wrong."""
    try:
        return int(json.loads((folder / MANIFEST).read_bytes())["scale"])
    except (OSError, ValueError, KeyError, TypeError):
        return Bicubic.scale


def open_model(
    bundle: Bundle,
    backend: Backend,
    *,
    sampler: str | None = None,
    steps: int | None = None,
    networks: Networks | None = None,
) -> SRModel:
    """The model of a bundle. networks: what is run for it; None takes the bundle's own files."""
    module, _, name = FAMILIES[bundle.manifest.family].model.partition(":")
    model: SRModel = getattr(import_module(module), name)(
        bundle, backend, sampler=sampler, steps=steps, networks=networks
    )
    return model


def _refuse_diffusion_options(sampler: str | None, steps: int | None) -> None:
    given = [name for name, value in (("--sampler", sampler), ("--steps", steps)) if value is not None]
    if given:
        raise UsageError("bicubic has neither sampler nor steps", where=" ".join(given), hint="leave them out")
