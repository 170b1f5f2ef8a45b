"""Python, and the packages without which nothing runs."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from edge_sr.doctor.check import Check
from edge_sr.doctor.surroundings import Surroundings

PYTHONS = ((3, 10), (3, 13))  # from the first, below the second; setup.py's python_requires
PACKAGES = {"numpy": "numpy", "cv2": "opencv-python-headless", "PIL": "Pillow", "click": "click"}  # module -> on PyPI
# Where a cv2 comes from differs: a Jetson has its own by apt, and a second one from pip would shadow it.
OPENCV_ON_ARM64 = (
    "sudo apt-get install python3-opencv, in a venv made with --system-site-packages"
    " (not a Jetson: pip install opencv-python-headless)"
)
# What numpy 2 says to a package that was compiled against numpy 1, such as Ubuntu's cv2.
_NUMPY_1 = re.compile(
    r"numpy\.core\.multiarray failed|numpy\.core\.umath failed|_ARRAY_API not found|(using|against) NumPy 1"
)
NUMPY_1 = 'pip install "numpy<2"'
ONNX_RUNTIMES = ("onnxruntime", "onnxruntime-gpu")
ROUNDS_FROM = (1, 30)  # below, QuantizeLinear in FP16 truncates on a CPU (measured: 1.23 to 1.27 wrong, 1.30 right)
BUILD_EXTRA = ("onnx", "onnx-graphsurgeon", "polygraphy")


def checks(here: Surroundings) -> Iterator[Check]:
    yield check_python(sys.version_info[:2])
    if here.board is not None:
        yield check_environment(here, Path(sys.prefix), sys.version_info[:2])
    yield from (check_package(module, name, here) for module, name in PACKAGES.items())
    yield check_onnxruntime(here)
    yield check_build_extra(here)


def packages_work() -> bool:
    """Whether what the models import is there."""
    return all(import_fault(module) is None for module in PACKAGES)


def check_python(version: tuple[int, int]) -> Check:
    lowest, above = PYTHONS
    found = ".".join(map(str, version))
    if lowest <= version < above:
        return Check("python", "ok", found)
    return Check("python", "fault", found, f"python{lowest[0]}.{lowest[1]} -m venv .venv (3.10, 3.11 and 3.12 serve)")


def check_environment(here: Surroundings, prefix: Path, version: tuple[int, int]) -> Check:
    """On a Jetson TensorRT and OpenCV come from apt, for the system's Python alone: an environment must see them."""
    system = here.root / "usr/bin/python3"
    link = re.search(r"python(\d+)\.(\d+)$", str(system.readlink())) if system.is_symlink() else None
    again = f"/usr/bin/python3 -m venv --system-site-packages {prefix}"
    if link is not None and tuple(map(int, link.groups())) != version:
        found = f"Python {'.'.join(map(str, version))}; TensorRT from apt is for {'.'.join(link.groups())}"
        return Check("environment", "fault", found, f"{again} --clear, and install edge-sr again")
    try:
        settings = (prefix / "pyvenv.cfg").read_text("utf-8")
    except OSError:
        return Check("environment", "ok", "the system's own Python")
    if re.search(r"^include-system-site-packages\s*=\s*true", settings, re.MULTILINE | re.IGNORECASE):
        return Check("environment", "ok", f"{prefix} sees the system's packages")
    return Check("environment", "fault", f"{prefix} does not see apt's TensorRT and OpenCV", again)


def check_package(module: str, distribution: str, here: Surroundings) -> Check:
    """A package that is installed and cannot be imported (a missing system library) is a fault as well."""
    fault = import_fault(module)
    if fault is None:  # apt's cv2 has no metadata of its own
        own = vars(import_module(module)).get("__version__", "unknown")
        return Check(module, "ok", here.version_of(distribution) or str(own))
    if isinstance(fault, ModuleNotFoundError) and fault.name in PACKAGES and fault.name != module:
        distribution = PACKAGES[fault.name]
    if _NUMPY_1.search(str(fault)):
        return Check(module, "fault", f"was compiled against numpy 1: {fault}", NUMPY_1)
    by_apt = distribution == PACKAGES["cv2"] and here.facts.machine == "aarch64"
    cure = OPENCV_ON_ARM64 if by_apt else f"pip install {distribution}"
    return Check(module, "fault", f"cannot be imported: {fault}", cure)


def import_fault(module: str) -> Exception | None:
    """Why it cannot be imported. What it prints is dropped: numpy 2 prints pages over an old package."""
    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            import_module(module)
    except Exception as error:
        return error
    return None


def check_onnxruntime(here: Surroundings, python: tuple[int, int] = sys.version_info[:2]) -> Check:
    """Version from the installed metadata: importing the backend would cost more than all other checks."""
    found = {name: version for name in ONNX_RUNTIMES if (version := here.version_of(name))}
    if not found:
        return Check("onnxruntime", "fault", "no backend to run a network with", 'pip install "edge-sr[cpu]"')
    if len(found) > 1:
        both = " and ".join(f"{name} {version}" for name, version in found.items())
        cure = f'pip uninstall -y {" ".join(found)} && pip install "edge-sr[cpu]"'
        return Check("onnxruntime", "note", f"{both} are installed over each other: one folder, mixed files", cure)
    ((name, version),) = found.items()
    if not _has_module("onnxruntime"):
        cure = f"pip install --force-reinstall --no-deps {name}=={version}"
        return Check("onnxruntime", "fault", f"{name} {version} is listed and its files are gone", cure)
    label = version if name == "onnxruntime" else f"{version} ({name})"
    if _numbers(version) >= ROUNDS_FROM:
        return Check("onnxruntime", "ok", label)
    trap = f"{label}; before 1.30 it truncates in FP16 QuantizeLinear, so layers are judged in float32"
    if python < (3, 11):
        return Check("onnxruntime", "note", f"{trap} (no later one for Python {'.'.join(map(str, python))})")
    return Check("onnxruntime", "note", trap, f'pip install --upgrade "{name}>=1.30"')


def check_build_extra(here: Surroundings) -> Check:
    """What ``edge-sr build`` needs beside the backend."""
    found = {name: here.version_of(name) for name in BUILD_EXTRA}
    if missing := [name for name, version in found.items() if version is None]:
        return Check("build", "note", f"edge-sr build needs {', '.join(missing)}", 'pip install "edge-sr[build]"')
    return Check("build", "ok", ", ".join(f"{name} {version}" for name, version in found.items()))


def _has_module(name: str) -> bool:
    """A folder that pip left without its ``__init__.py`` does not count."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None


def _numbers(version: str) -> tuple[int, ...]:
    """(1, 30) of "1.30.0.dev1"."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])
