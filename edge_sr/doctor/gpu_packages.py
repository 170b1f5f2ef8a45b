"""What runs engines on the GPU: TensorRT with both its halves and its builder's resources, PyCUDA, cuda-python."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from edge_sr.doctor.check import Check
from edge_sr.doctor.imports import Imported
from edge_sr.doctor.surroundings import Surroundings

PACKAGES = ("tensorrt", "pycuda", "cuda")
TENSORRT_BY_APT = "sudo apt-get install python3-libnvinfer"
APT_FOLDER = "/usr/lib"  # pip writes to /usr/local or into the environment
REMOVE_PIP_S = "pip freeze --local | grep -io '^tensorrt[a-z0-9_-]*' | xargs pip uninstall -y"
TENSORRT_BY_PIP = 'pip install "edge-sr[gpu]"'
# Not from pip's cache: there lies the wheel that was compiled for the other CUDA.
COMPILE_PYCUDA = "pip install --force-reinstall --no-deps --no-cache-dir --no-binary pycuda pycuda"
# 10.16 has the builder's kernels in one library a family of GPUs; Orin (8.7) takes that of 8.6, as trtexec showed on an
# Orin NX (OE4T/meta-tegra, pull request 2243).
RESOURCE_OF = {"8.7": "8.6"}


def checks(here: Surroundings) -> Iterator[Check]:
    with ThreadPoolExecutor(len(PACKAGES)) as pool:
        tensorrt, pycuda, cuda_python = pool.map(here.try_import, PACKAGES)
    yield check_tensorrt(here, tensorrt)
    if here.jetson is None and not tensorrt.found:
        return  # a PC that does without: one line says so
    if tensorrt.works and not tensorrt.simulated:
        yield check_halves(here, tensorrt)
        yield check_resources(here, tensorrt)
    yield check_pycuda(here, pycuda)
    yield check_cuda_python(here, cuda_python)


def check_tensorrt(here: Surroundings, found: Imported) -> Check:
    on_board = here.jetson is not None
    install = TENSORRT_BY_APT if on_board else TENSORRT_BY_PIP
    if found.simulated:
        return Check("tensorrt", "note", f"{found.version}: no engine of it runs on a GPU")
    if not found.found:
        what = "not installed, or hidden from this environment" if on_board else "not installed: the GPU is not used"
        return Check("tensorrt", here.lacking, what, install)
    if found.error:
        cure = f"{install} --reinstall" if on_board else f"{install} --force-reinstall"
        return Check("tensorrt", here.lacking, f"cannot be imported: {found.error}", cure)
    if on_board and not Path(found.file).is_relative_to(APT_FOLDER):
        what = f"{found.version} from pip ({Path(found.file).parent}) hides the board's own"
        return Check("tensorrt", "fault", what, REMOVE_PIP_S)
    return Check("tensorrt", "ok", found.version)


def check_halves(here: Surroundings, found: Imported) -> Check:
    """Python's half against the C++ library that it loaded."""
    if not found.number:
        return Check("nvinfer", "note", "its library was not found among the files of the process")
    library = library_version(found.number)
    if library.split(".")[:3] == found.version.split(".")[:3]:
        return Check("nvinfer", "ok", f"{library} in {Path(found.library).parent}")
    by_apt = f"sudo apt-get install --reinstall libnvinfer{library.partition('.')[0]} python3-libnvinfer"
    cure = by_apt if here.jetson is not None else f"{TENSORRT_BY_PIP} --force-reinstall"
    what = f"{found.library} is {library}, and Python's half is {found.version}"
    return Check("nvinfer", here.lacking, what, cure)


def library_version(number: int) -> str:
    """ "10.3.0" of 100300 (NvInferVersion.h: from 10 on two digits a part, before that 8602 for 8.6.2)."""
    if number < 10_000:
        return f"{number // 1000}.{number % 1000 // 100}.{number % 100}"
    return f"{number // 10_000}.{number // 100 % 100}.{number % 100}"


def check_resources(here: Surroundings, found: Imported) -> Check:
    """The libraries that a builder opens by name and a runtime never does; they lie beside the library itself."""
    folder = Path(found.library).parent
    version = ".".join(found.version.split(".")[:3])
    pattern = re.compile(rf"libnvinfer_builder_resource(_\w+)?\.so\.{re.escape(version)}")
    names = sorted(path.name for path in folder.glob("libnvinfer_builder_resource*") if pattern.fullmatch(path.name))
    suffixes = [match.group(1) or "" for name in names if (match := pattern.fullmatch(name))]
    suffixes = [suffix for suffix in suffixes if not suffix.startswith("_win")]  # for builds that Windows runs
    capability = here.gpu.compute_capability if here.gpu is not None else ""
    wanted = f"_sm{RESOURCE_OF.get(capability, capability).replace('.', '')}"
    if "" in suffixes or (not capability and suffixes) or wanted in suffixes:
        return Check("builder", "ok", f"its resources are in {folder}")
    cure = f"sudo apt-get install --reinstall libnvinfer{version.partition('.')[0]}"
    cure = cure if here.jetson is not None else f"{TENSORRT_BY_PIP} --force-reinstall"
    name = f"libnvinfer_builder_resource{wanted if suffixes else ''}.so.{version}"
    what = f"{name} is missing in {folder}: engines run and none can be built"
    return Check("builder", here.lacking, what, cure)


def check_pycuda(here: Surroundings, found: Imported) -> Check:
    if found.simulated:
        return Check("pycuda", "note", "simulated")
    if not found.found:
        cure = f"{COMPILE_PYCUDA} (docs/jetson.md, step 3)" if here.jetson else TENSORRT_BY_PIP
        return Check("pycuda", here.lacking, "not installed", cure)
    if found.error:
        return Check("pycuda", here.lacking, f"cannot be imported: {found.error}", COMPILE_PYCUDA)
    driver = here.gpu.cuda if here.gpu is not None else ""
    if driver and _major(found.cuda) > _major(driver):
        what = f"{found.version}, compiled for CUDA {found.cuda}, and the driver knows up to {driver}"
        return Check("pycuda", here.lacking, what, COMPILE_PYCUDA)
    return Check("pycuda", "ok", f"{found.version}, compiled for CUDA {found.cuda}")


def check_cuda_python(here: Surroundings, found: Imported) -> Check:
    """Engines run without it, by plain launches."""
    driver = here.gpu.cuda if here.gpu is not None else ""
    cure = f'pip install "cuda-python<{_major(driver) + 1}"' if driver else "pip install cuda-python"
    if found.simulated:
        return Check("cuda-python", "note", "simulated")
    if not found.works:
        why = found.error or "not installed"
        return Check(
            "cuda-python", "note", f"{why}: without it no CUDA graphs, engines are launched kernel by kernel", cure
        )
    if driver and _major(found.version) > _major(driver):
        what = f"{found.version} is for CUDA {_major(found.version)}, and the driver knows up to {driver}"
        return Check("cuda-python", "note", what, cure)
    return Check("cuda-python", "ok", found.version)


def _major(version: str) -> int:
    number = re.match(r"\d+", version)
    return int(number.group()) if number else 0
