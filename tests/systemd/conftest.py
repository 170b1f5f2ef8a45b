"""The units as an installed release has them, and an installer that downloads nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
UNITS = CHECKOUT / "systemd"
PREFIX = "/opt/edge-sr"


def pytest_ignore_collect() -> bool | None:
    """The wheel's tests have no checkout beside them."""
    return None if UNITS.is_dir() and os.name == "posix" else True


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """A folder with the three units, whose commands are there: @PREFIX@ is a folder with stubs."""
    prefix, folder = tmp_path / "prefix", tmp_path / "units"
    for name in ("bin/edge-sr", "systemd/build-engines"):
        stub = prefix / "current" / name
        stub.parent.mkdir(parents=True, exist_ok=True)
        stub.write_text("#!/bin/sh\n")
        stub.chmod(0o755)
    folder.mkdir()
    for unit in UNITS.glob("*.service"):
        (folder / unit.name).write_text(unit.read_text("utf-8").replace("@PREFIX@", str(prefix)))
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the installer takes from a checkout, with wheels of two versions that hold nothing."""
    folder = tmp_path / "checkout"
    shutil.copytree(UNITS, folder / "systemd")
    (folder / "scripts").mkdir()
    for name in ("install-service", "find-python"):
        shutil.copy(CHECKOUT / "scripts" / name, folder / "scripts")
    shutil.copy(CHECKOUT / "constraints.txt", folder)
    (folder / "dist").mkdir()
    for version in ("1.0.0", "1.1.0"):
        (folder / f"edge_sr-{version}-py3-none-any.whl").write_text(version)
    return folder


# Stands for Python: makes the files of a virtual environment, and "installs" a command that tells its wheel.
PYTHON = """#!/bin/sh
for last; do :; done
case "$*" in
--version) echo Python 3.12.0 ;;
"-m venv "*)
    mkdir -p "$last/bin" && cp "$0" "$last/bin/python" && echo "command = $last" >"$last/pyvenv.cfg" ;;
"-m pip install "*)
    [ -z "$PIP_FAILS" ] || exit 1
    bin=$(dirname "$0")
    echo "#!$bin/python" >"$bin/other"
    printf '#!/bin/sh\\n[ "$1" != watch ] || exit ${WATCH_FAILS:-0}\\necho %s\\n' "$last" >"$bin/edge-sr"
    chmod 755 "$bin/edge-sr" ;;
*) exit 2 ;;
esac
"""


class Installer:
    """Calls scripts/install-service of the copied checkout for a folder that stands for a machine."""

    def __init__(self, checkout: Path, machine: Path) -> None:
        self.checkout, self.machine = checkout, machine
        self.root = machine / PREFIX.removeprefix("/")
        self.python = checkout / "python"
        self.python.write_text(PYTHON)
        self.python.chmod(0o755)

    def __call__(self, *words: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        here = {"DESTDIR": str(self.machine), "PYTHON": str(self.python), "PATH": os.environ["PATH"], "HOME": "/"}
        command = [str(self.checkout / "scripts" / "install-service"), *words]
        return subprocess.run(command, env={**here, **(env or {})}, capture_output=True, text=True, check=False)

    def wheel(self, version: str) -> str:
        return str(self.checkout / f"edge_sr-{version}-py3-none-any.whl")

    def install(self, version: str) -> str:
        """The release's name."""
        done = self("install", self.wheel(version))
        assert done.returncode == 0, done.stderr
        return self.current()

    def current(self, link: str = "current") -> str:
        return (self.root / link).readlink().name


@pytest.fixture
def installer(checkout: Path, tmp_path: Path) -> Installer:
    return Installer(checkout, tmp_path / "machine")


Analyse = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def analyse() -> Analyse:
    """``systemd-analyze`` with these words. It needs no running systemd."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is missing; try: apt-get install systemd")

    def call(*words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program, *map(str, words)], capture_output=True, text=True, check=False)

    version = int(call("--version").stdout.split()[1].split(".")[0])
    if version < 250:
        pytest.skip(f"systemd {version} rates no files, 250 and later do")
    return call
