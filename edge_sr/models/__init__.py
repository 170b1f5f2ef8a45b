"""Super-resolution models, by family.

A new family is one module with a class after ``edge_sr.models.base.SRModel`` and one line in ``FAMILIES``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge_sr.artifacts.bundle import Bundle, default_bundle
from edge_sr.artifacts.chain import Networks, chain_of
from edge_sr.backends.base import Backend
from edge_sr.errors import UsageError
from edge_sr.models.base import SRModel
from edge_sr.models.bicubic import Bicubic
from edge_sr.models.engines import AUTO, choose
from edge_sr.models.latent_diffusion import LatentDiffusion

FAMILIES: dict[str, Callable[..., SRModel]] = {"latent_diffusion": LatentDiffusion}


def load_model(
    name_or_path: str | Path = "default",
    *,
    sampler: str | None = None,
    steps: int | None = None,
    threads: int | None = None,
    precision: str = "fp32",
    backend: str | None = None,
    note: Callable[[str], None] = lambda line: None,
) -> SRModel:
    """The model called "bicubic" or "default", or the one in a bundle folder.

    sampler, steps: None takes the bundle's default. threads: of the backend; None takes all cores.
    precision, backend, note: see ``engines.choose``; unless asked otherwise only float32 engines are looked for.
    UsageError for a name that is neither, IntegrityError for a bundle that fails its own hashes.
    """
    if str(name_or_path) == "bicubic":
        _refuse_diffusion_options(sampler, steps)
        if precision not in (AUTO, "fp32"):
            raise UsageError("bicubic has no engines", where=f"--precision {precision}", hint="leave it out")
        return Bicubic()
    bundle = Bundle.open(_bundle_folder(name_or_path))
    chain = chain_of(bundle, sampler=sampler, steps=steps)
    chosen = choose(chain, backend=backend, precision=precision, threads=threads, note=note)
    return open_model(bundle, chosen.backend, sampler=sampler, steps=steps, networks=chosen.networks)


def open_model(
    bundle: Bundle,
    backend: Backend,
    *,
    sampler: str | None = None,
    steps: int | None = None,
    networks: Networks | None = None,
) -> SRModel:
    """The model of a bundle. networks: what is run for it; None takes the bundle's own files."""
    family = bundle.manifest.family
    if family not in FAMILIES:
        raise UsageError(f"unknown model family {family}", where=bundle.folder, expected=", ".join(FAMILIES))
    return FAMILIES[family](bundle, backend, sampler=sampler, steps=steps, networks=networks)


def _bundle_folder(name_or_path: str | Path) -> Path:
    if str(name_or_path) == "default":
        return default_bundle()
    folder = Path(name_or_path)
    if not folder.is_dir():
        raise UsageError("no such model", where=folder, expected='"bicubic", "default" or a bundle folder')
    return folder


def _refuse_diffusion_options(sampler: str | None, steps: int | None) -> None:
    given = [name for name, value in (("--sampler", sampler), ("--steps", steps)) if value is not None]
    if given:
        raise UsageError("bicubic has neither sampler nor steps", where=" ".join(given), hint="leave them out")
