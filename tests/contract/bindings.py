"""TensorRT's real Python bindings, fetched by pip and imported beside stand-in libraries.

The wheels lie in a cache outside the tree, so that only the first run needs the registry: the folder that
EDGE_SR_BINDINGS names, else ~/.cache/edge-sr-tests.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from tests.contract.listing import Listing

HERE = Path(__file__).parent
LIBRARIES = ("nvinfer", "nvinfer_plugin", "nvonnxparser")
RELEASES = {  # JetPack 6; JetPack 7, whose 10.16.2 is not on the registry; the newest
    "10.3.0": "tensorrt_cu12_bindings==10.3.0",
    "10.16.1": "tensorrt_cu13_bindings==10.16.1.*",
    "11.4.0": "tensorrt_cu13_bindings==11.4.0.*",
}


class RegistryUnreachable(Exception):
    """pip came back with nothing, and not because the release was withdrawn."""


def cache() -> Path:
    return Path(os.environ.get("EDGE_SR_BINDINGS") or Path.home() / ".cache" / "edge-sr-tests")


def wheel(version: str, folder: Path) -> Path:
    """The wheel for this Python, from the folder or else by pip.

    Raises RegistryUnreachable, or LookupError where the registry answers and has no such wheel for this Python.
    """
    project, _, release = RELEASES[version].partition("==")
    pattern = f"{project}-{release.rstrip('.*')}*-cp{sys.version_info.major}{sys.version_info.minor}-*.whl"
    if not sorted(folder.glob(pattern)):
        download(RELEASES[version], folder, ("--only-binary=:all:",))
    return sorted(folder.glob(pattern))[-1]


def download(requirement: str, folder: Path, options: Sequence[str]) -> None:
    """One file of the registry into the folder. Raises as ``wheel`` does."""
    folder.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    options = [*options, "--no-deps", "--retries=1", "--timeout=10"]
    with tempfile.TemporaryDirectory(dir=folder) as part:  # two runs at once do not see each other's halves
        words = [*pip, *options, "--dest", part, requirement]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=60)
        except subprocess.TimeoutExpired:
            raise RegistryUnreachable(f"pip download {requirement} took more than a minute") from None
        if done.returncode:
            raise failure(requirement, done.stderr)
        for file in Path(part).iterdir():
            file.replace(folder / file.name)


def failure(requirement: str, told: str) -> Exception:
    """What pip's words on stderr mean: LookupError where the registry answered, else RegistryUnreachable."""
    if others := re.search(r"from versions: (?!none)(.*)\)", told):
        return LookupError(f"no {requirement} for this Python; the registry has {others.group(1)}")
    return RegistryUnreachable(f"pip download {requirement}: {(told.strip() or 'failed').splitlines()[-1]}")


def stand_ins(version: str, folder: Path, compiler: str) -> Path:
    """A folder with the three libraries under the names that the bindings of this version load."""
    major = version.partition(".")[0]
    libraries = folder / "libraries"
    libraries.mkdir(parents=True)
    first, *others = (libraries / f"lib{name}.so.{major}" for name in LIBRARIES)
    words = [compiler, "-shared", "-fPIC", "-o", str(first), str(HERE / "stand_in.c")]
    subprocess.run(words, check=True, capture_output=True)
    for other in others:
        shutil.copy(first, other)
    return libraries


def list_bindings(version: str, folder: Path, compiler: str) -> Listing:
    """What the bindings of this version offer; the folder is for what is unpacked and compiled."""
    with zipfile.ZipFile(wheel(version, cache())) as archive:
        archive.extractall(folder / "package")
    environment = {**os.environ, "LD_LIBRARY_PATH": str(stand_ins(version, folder, compiler))}
    words = [sys.executable, "-I", "-S", str(HERE / "listing.py"), str(folder / "package")]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, f"TensorRT {version}: a symbol that stand_in.c lacks?\n{done.stderr}"
    found: Listing = json.loads(done.stdout)
    return found
