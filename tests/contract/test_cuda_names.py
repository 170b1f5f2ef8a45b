"""The names of PyCUDA and cuda-python that our code uses, against their releases.

PyCUDA is compiled on the device, so its source is read: names and arguments stand in the calls that expose them.
cuda-python's wheel is imported; its functions tell their arguments in the first line of their docstrings. Names again,
not behaviour.
"""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.contract.bindings import RegistryUnreachable, cache, download
from tests.sim import cuda_bindings_driver, pycuda_driver
from tests.sim.machine import Machine

PYCUDA = "pycuda==2026.1"
CUDA_PYTHON = ("cuda-bindings==13.*", "cuda-pathfinder==1.*")
WRAPPER = "src/wrapper/wrap_cudadrv.cpp"
PYTHON_PART = "pycuda/driver.py"  # it gives Function its calls


def members(module: ModuleType) -> Iterator[tuple[str, object]]:
    """Dotted names of what a simulated module offers to programs."""
    for name, member in vars(module).items():
        if name.startswith("_"):
            continue
        yield name, member
        if isinstance(member, type):
            inner = (pair for pair in vars(member).items() if not pair[0].startswith("_"))
            yield from ((f"{name}.{other}", value) for other, value in inner)


def fetch(requirement: str, pattern: str, *options: str) -> Path:
    try:
        if not sorted(cache().glob(pattern)):
            download(requirement, cache(), options)
    except RegistryUnreachable as error:
        pytest.skip(f"{requirement} is not in {cache()} and the package registry cannot be reached: {error}")
    return sorted(cache().glob(pattern))[-1]


@pytest.fixture(scope="module")
def pycuda_source() -> str:
    """The file that exposes CUDA's driver to Python."""
    return pycuda_file(WRAPPER)


@pytest.fixture(scope="module")
def pycuda_python() -> str:
    """The part of ``pycuda.driver`` that is written in Python."""
    return pycuda_file(PYTHON_PART)


def pycuda_file(path: str) -> str:
    archive = fetch(PYCUDA, "pycuda-2026.1.tar.gz", "--no-binary=:all:", "--no-build-isolation")
    with tarfile.open(archive) as content:
        [member] = [name for name in content.getnames() if name.endswith(f"/{path}")]
        file = content.extractfile(member)
        assert file is not None
        return file.read().decode()


def exposed(name: str, source: str) -> bool:
    name = re.escape(name)
    ways = (
        rf"^ +Function\.{name} = function_{name}$",
        rf'\b(def|value|add_property|attr)\(\s*"{name}"',
        rf'\b(class_|enum_)<[^;]*?"{name}"',
        rf"\b(DEF_SIMPLE_METHOD|DEF_SIMPLE_FUNCTION|DECLARE_EXC)\({name}\b",
    )
    return any(re.search(way, source, re.MULTILINE) for way in ways)


def test_pycuda_exposes_what_the_simulator_offers(pycuda_source: str, pycuda_python: str) -> None:
    names = [name for name, _ in members(pycuda_driver.make_module(Machine()))]
    used = {"Stream.wait_for_event", "Event.time_since", "event_flags.DISABLE_TIMING", "pagelocked_empty"}
    assert used | {"module_from_buffer", "Module.get_function", "Function.prepared_async_call"} <= set(names)
    source = pycuda_source + pycuda_python
    assert [name for name in names if not exposed(name.rpartition(".")[2], source)] == []


@pytest.mark.parametrize(
    "function", ["memcpy_htod_async", "memcpy_dtoh_async", "pagelocked_empty", "module_from_buffer"]
)
def test_pycuda_names_the_arguments_likewise(function: str, pycuda_source: str) -> None:
    [call] = re.findall(rf'py::def\("{function}",.*?;', pycuda_source, re.DOTALL)
    named = re.findall(r'args?\("(\w+)"', call)
    assert named == list(inspect.signature(getattr(pycuda_driver.make_module(Machine()), function)).parameters)


@pytest.mark.parametrize("call", ["prepare", "prepared_async_call"])
def test_pycuda_calls_kernels_likewise(call: str, pycuda_python: str) -> None:
    [arguments] = re.findall(rf"^    def function_{call}\(func, (.*)\):$", pycuda_python, re.MULTILINE)
    ours = inspect.signature(getattr(pycuda_driver.make_module(Machine()).Function, call))
    named = [name.partition("=")[0].strip(" *") for name in arguments.split(",")]
    assert named == list(ours.parameters)[1:]


def test_a_planted_name_is_not_exposed(pycuda_source: str, pycuda_python: str) -> None:
    source = pycuda_source + pycuda_python
    names = ("wait_for_events", "memcpy_async", "time_before", "prepared_call_async")
    assert [name for name in names if exposed(name, source)] == []


LIST = """
import json, sys
sys.path.insert(0, sys.argv[1])
from cuda.bindings import driver
names = json.loads(sys.argv[2])
first = lambda name: (getattr(driver, name).__doc__ or "").strip().split("\\n")[0]
print(json.dumps({name: first(name) for name in names if hasattr(driver, name)}))
modes, stream = driver.CUstreamCaptureMode, driver.CUstream(5)
assert int(stream) == 5 and int(modes.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL) == 1
assert driver.CUresult.CUDA_SUCCESS.name == "CUDA_SUCCESS" and int(driver.CUresult.CUDA_SUCCESS) == 0
"""


def test_cuda_python_has_the_functions_with_their_arguments(tmp_path: Path) -> None:
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    bindings = fetch(CUDA_PYTHON[0], f"cuda_bindings-13*-{python}-*.whl", "--only-binary=:all:")
    finder = fetch(CUDA_PYTHON[1], "cuda_pathfinder-1*.whl", "--only-binary=:all:")
    for wheel in (bindings, finder):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(tmp_path)
    ours = cuda_bindings_driver.make_module(Machine())
    functions = {name: member for name, member in vars(ours).items() if inspect.isfunction(member)}
    words = [sys.executable, "-I", "-S", "-c", LIST, str(tmp_path), json.dumps(list(functions))]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    for name, member in functions.items():
        named = re.findall(r"(\w+)(?::[^,]*)?(?=,|\))", told[name].partition("(")[2])
        assert named == list(inspect.signature(member).parameters), told[name]
