"""Packages that talk to a GPU, imported in a child process: one that crashes takes no report with it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

PATIENCE_S = 60.0  # from a cold SD card TensorRT's libraries take many seconds

# Each prints one JSON object with what Imported holds. After its import TensorRT's library is mapped, so that its file
# and its own idea of its version are known without making any TensorRT object, which would need a driver.
_TENSORRT = """
import ctypes, json, re, tensorrt
found = re.search(r"(/\\S*/libnvinfer\\.so[.0-9]*)$", open("/proc/self/maps").read(), re.M)
library = found.group(1) if found else ""
number = getattr(ctypes.CDLL(library), "getInferLibVersion", int)() if library else 0
print(json.dumps(dict(version=tensorrt.__version__, file=tensorrt.__file__, library=library, number=number)))
"""
_PYCUDA = """
import json, pycuda, pycuda.driver
cuda = ".".join(map(str, pycuda.driver.get_version()[:2]))
print(json.dumps(dict(version=pycuda.VERSION_TEXT, file=pycuda.__file__, cuda=cuda)))
"""
_CUDA_PYTHON = """
import json, cuda.bindings, cuda.bindings.driver
print(json.dumps(dict(version=cuda.bindings.__version__, file=cuda.bindings.driver.__file__)))
"""
_SOURCES = {"tensorrt": _TENSORRT, "pycuda": _PYCUDA, "cuda": _CUDA_PYTHON}


@dataclass(frozen=True)
class Imported:
    """What a package says of itself, or why it cannot be imported.

    found: it is installed at all. library, number: of TensorRT's C++ half, 100300 for 10.3.0. cuda: that PyCUDA was
    compiled for. simulated: the tests' stand-in.
    """

    found: bool = True
    error: str = ""
    version: str = ""
    file: str = ""
    library: str = ""
    number: int = 0
    cuda: str = ""
    simulated: bool = False

    @property
    def works(self) -> bool:
        return self.found and not self.error


TryImport = Callable[[str], Imported]


def try_import(package: str) -> Imported:
    """package: one of "tensorrt", "pycuda", "cuda"."""
    stand_in = sys.modules.get("tensorrt")
    if stand_in is not None and getattr(stand_in, "__simulated__", False):  # a child would not have it
        module = sys.modules.get(package)
        return Imported(found=module is not None, version=str(getattr(module, "__version__", "")), simulated=True)
    try:
        if find_spec(package) is None:
            return Imported(found=False)
    except (ImportError, ValueError):  # blocked, or half removed
        return Imported(found=False)
    return import_in_child(_SOURCES[package])


def import_in_child(source: str, *, patience_s: float = PATIENCE_S) -> Imported:
    """source: prints a JSON object of the fields of Imported as its last line."""
    command = [sys.executable, "-c", source]
    try:
        done = subprocess.run(command, capture_output=True, timeout=patience_s, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        late = isinstance(error, subprocess.TimeoutExpired)
        return Imported(error=f"the import did not end within {patience_s:g} s" if late else str(error))
    said = done.stdout.decode(errors="replace").strip().splitlines()
    if done.returncode == 0 and said:
        return Imported(**json.loads(said[-1]))
    if done.returncode < 0:
        return Imported(error=f"the import crashes ({signal.Signals(-done.returncode).name})")
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return Imported(error=lines[-1] if lines else f"the import ends with code {done.returncode}")
