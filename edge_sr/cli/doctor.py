"""``edge-sr doctor``: what this machine has, and what to type where something is missing.

Imports nothing heavy at the top: it must run, and say so, where numpy or OpenCV is not installed.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Literal

import click

from edge_sr import __version__
from edge_sr.cli.exit_codes import ENVIRONMENT
from edge_sr.cli.lazy_group import examples
from edge_sr.device.facts import DeviceFacts, read_facts
from edge_sr.errors import EdgeSRError

SCHEMA_VERSION = 1
PYTHONS = ((3, 10), (3, 13))  # from the first, below the second; setup.py's python_requires
# Where a cv2 comes from differs: a Jetson has its own by apt, and a second one from pip would shadow it.
OPENCV_ON_ARM64 = (
    "sudo apt-get install python3-opencv, in a venv made with --system-site-packages"
    " (not a Jetson: pip install opencv-python-headless)"
)
PACKAGES = {"numpy": "numpy", "cv2": "opencv-python-headless", "PIL": "Pillow", "click": "click"}  # module -> on PyPI
ONNX_RUNTIMES = ("onnxruntime", "onnxruntime-gpu")


@dataclass(frozen=True)
class Check:
    """One line of the report. A fault is something that ``edge-sr run`` needs; a note is not."""

    name: str
    status: Literal["ok", "note", "fault"]
    found: str
    hint: str = ""


def check_python(version: tuple[int, int]) -> Check:
    lowest, above = PYTHONS
    found = ".".join(map(str, version))
    if lowest <= version < above:
        return Check("python", "ok", found)
    return Check("python", "fault", found, f"python{lowest[0]}.{lowest[1]} -m venv .venv (3.10, 3.11 and 3.12 serve)")


def check_package(module: str, distribution: str, *, machine: str) -> Check:
    """A package that is installed and cannot be imported (a missing system library) is a fault as well."""
    try:
        imported = import_module(module)
    except Exception as error:
        on_arm64 = module == "cv2" and machine == "aarch64"
        hint = OPENCV_ON_ARM64 if on_arm64 else f"pip install {distribution}"
        return Check(module, "fault", f"cannot be imported: {error}", hint)
    return Check(module, "ok", _version(distribution) or imported.__version__)  # apt's cv2 has no metadata of its own


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def check_onnxruntime(distributions: tuple[str, ...] = ONNX_RUNTIMES) -> Check:
    """Version from the installed metadata: importing the backend would cost more than all other checks."""
    for name in distributions:
        if version := _version(name):
            return Check("onnxruntime", "ok", version)
    return Check("onnxruntime", "fault", "no backend to run a network with", 'pip install "edge-sr[cpu]"')


def check_processor(facts: DeviceFacts) -> Check:
    name = facts.cpu_model or facts.machine
    if facts.cpu_features is None:
        return Check("processor", "note", f"{name}; int8 instructions unknown")
    if not facts.cpu_features:
        return Check("processor", "note", f"{name}; no int8 instructions: int8 may not be faster than fp32 here")
    return Check("processor", "ok", f"{name}; {' '.join(facts.cpu_features)}")


def check_memory(facts: DeviceFacts) -> Check:
    memory = "memory unknown" if facts.memory_mib is None else f"{facts.memory_mib} MiB"
    return Check("machine", "ok", f"{facts.board or facts.system}, {facts.cores} cores, {memory}")


def check_bundle(folder: Path | None = None) -> Check:
    """Every file of the default bundle (or of ``folder``) against its sha256."""
    from edge_sr.artifacts.bundle import Bundle, default_bundle

    folder = folder or default_bundle()
    try:
        manifest = Bundle.open(folder).manifest
    except EdgeSRError as error:
        return Check("bundle", "fault", f"{folder}: {error.what}", "pip install --force-reinstall --no-deps edge-sr")
    return Check("bundle", "ok", f"{manifest.name} {manifest.version}, every file as listed")


def check_engines() -> list[Check]:
    """Where `edge-sr build` writes and `edge-sr run` looks, and which engine it would take for the default bundle.

    A note where there is none: the bundle's own networks run everywhere.
    """
    from edge_sr.artifacts.engine_cache import cache_folders
    from edge_sr.artifacts.engine_folder import folder_to_write
    from edge_sr.models import load_model

    looked_in = ", ".join(map(str, cache_folders()))
    checks = [Check("cache", "ok", f"build writes to {folder_to_write()}; run looks in {looked_in}")]
    passed_over: list[str] = []
    try:
        with load_model(precision="auto", note=passed_over.append) as model:
            made_with = model.provenance
    except EdgeSRError as error:
        return [*checks, Check("engine", "note", error.what, error.hint)]
    notes = [Check("engine", "note", line.partition("; try: ")[0], "edge-sr engines prune") for line in passed_over]
    if made_with["engine"]:
        return [*checks, *notes, Check("engine", "ok", f"{made_with['precision']}, {made_with['engine']}")]
    return [*checks, *notes, Check("engine", "note", "none for the default bundle on this machine", "edge-sr build")]


def check_output(folder: Path) -> Check:
    """By writing: permissions alone tell nothing about a read-only disk."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"edge-sr")
        free_mib = shutil.disk_usage(folder).free // 2**20
    except OSError as error:
        hint = f"mkdir -p {folder}" if isinstance(error, FileNotFoundError) else "edge-sr doctor --output OTHER_FOLDER"
        return Check("output", "fault", f"{folder}: {error.strerror}", hint)
    return Check("output", "ok", f"{folder.resolve()} can be written, {free_mib} MiB free")


def all_checks(facts: DeviceFacts, output: Path) -> Iterator[Check]:
    yield check_python(sys.version_info[:2])
    packages = [check_package(module, name, machine=facts.machine) for module, name in PACKAGES.items()]
    yield from packages
    yield check_onnxruntime()
    yield check_processor(facts)
    yield check_memory(facts)
    if all(package.status == "ok" for package in packages):
        yield check_bundle()
        yield from check_engines()
    else:
        yield Check("bundle", "note", "not verified before the packages above are there")
    yield check_output(output)


def as_lines(checks: list[Check]) -> Iterator[str]:
    for check in checks:
        yield f"{check.status:<6} {check.name:<12} {check.found}"
        if check.hint:
            yield f"{'':<19} try: {check.hint}"


@click.command(
    epilog=examples("edge-sr doctor", "edge-sr doctor --output /data/out", "edge-sr doctor --json | jq .checks")
)
@click.option("--output", type=click.Path(path_type=Path), default=".", show_default=True, help="Folder to write to.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def doctor(ctx: click.Context, output: Path, as_json: bool) -> None:
    """Check Python, packages, backends, the processor, the default bundle, its engine and the output folder.

    Each line that fails says what to type. Exits 3 where something that `edge-sr run` needs is missing.
    """
    facts = read_facts()
    checks = list(all_checks(facts, output))
    faults = sum(check.status == "fault" for check in checks)
    if as_json:
        report = {"schema_version": SCHEMA_VERSION, "version": __version__, "ok": not faults}
        click.echo(json.dumps(report | {"device": asdict(facts), "checks": [asdict(c) for c in checks]}, indent=2))
    else:
        click.echo("\n".join(as_lines(checks)))
        click.echo(f"faults: {faults}" if faults else "ready")
    if faults:
        ctx.exit(ENVIRONMENT)
