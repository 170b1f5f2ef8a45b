"""The layer picture of docs/design.md against the imports of the code, those inside functions included."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("edge_sr", "build_engines", "calibration", "host_training", "benchmarks")

ROOM_FLOOR = {
    **dict.fromkeys(("__init__", "__version__", "errors", "svg", "tensors", "timing"), 0),
    **dict.fromkeys(("image", "diffusion", "device"), 1),
    "artifacts": 2,
    "backends": 3,
    "models": 4,
    "pipeline": 5,
    **dict.fromkeys(("service", "demo", "bench", "doctor"), 6),  # these four do not know each other
    "cli": 7,
}
MAY_IMPORT = {  # the longest name that fits counts
    "edge_sr": ("edge_sr",),
    "build_engines": ("build_engines", "edge_sr", "calibration"),
    "calibration": ("calibration", "edge_sr"),
    "host_training": ("host_training", "edge_sr", "build_engines.compose", "build_engines.quantize"),
    "benchmarks": (
        "benchmarks",
        "build_engines",
        "calibration",
        "edge_sr",
        "host_training.evaluation",
        "host_training.data",
    ),
    "benchmarks.peers": ("benchmarks", "edge_sr", "host_training.nets"),
}
HOMES = {  # heavy packages, and the only places that may import them
    "torch": ("host_training", "benchmarks.peers"),
    "diffusers": ("host_training", "benchmarks.peers"),
    "onnxruntime": ("edge_sr.backends.onnxrt",),
    "tensorrt": ("edge_sr.backends.trt", "build_engines.targets.compile_trt"),
    "pycuda": ("edge_sr.backends.trt", "build_engines.targets.compile_trt"),
    "cuda": ("edge_sr.backends.trt", "build_engines.targets.compile_trt"),
    "starlette": ("edge_sr.demo",),
    "uvicorn": ("edge_sr.demo",),
    "inotify_simple": ("edge_sr.service.hints",),
    "prometheus_client": ("edge_sr.service.metrics",),
}


def imports(source: str, module: str, *, is_package: bool) -> Iterator[tuple[int, str]]:
    """(line, full dotted name) of every import in the source of ``module``."""
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def within(name: str, homes: tuple[str, ...]) -> bool:
    return any(name == home or name.startswith(f"{home}.") for home in homes)


def room(name: str) -> str:
    return [*name.split("."), "__init__"][1]


def broken_rule(module: str, imported: str) -> str:
    """The rule that ``module`` breaks by importing ``imported``; "" for none."""
    top = imported.partition(".")[0]
    if top in HOMES and not within(module, HOMES[top]):
        return f"{top} is imported in {' and '.join(HOMES[top])} alone"
    if top not in PACKAGES:
        return ""
    owner = max((name for name in MAY_IMPORT if within(module, (name,))), key=len)
    if not within(imported, MAY_IMPORT[owner]):
        return f"{owner} imports {' and '.join(MAY_IMPORT[owner])} alone"
    here, there = room(module), room(imported)
    if not module.startswith("edge_sr") or top != "edge_sr" or here == there:
        return ""
    if unknown := {here, there} - set(ROOM_FLOOR):
        return f"{unknown.pop()} has no floor"
    if ROOM_FLOOR[there] > ROOM_FLOOR[here]:
        return f"{here} (floor {ROOM_FLOOR[here]}) lies below {there} (floor {ROOM_FLOOR[there]})"
    return "rooms of floor 6 do not know each other" if ROOM_FLOOR[here] == ROOM_FLOOR[there] == 6 else ""


def faults(source: str, path: Path) -> list[str]:
    is_package = path.name == "__init__.py"
    module = ".".join((path.parent if is_package else path.with_suffix("")).parts)
    found = imports(source, module, is_package=is_package)
    return [f"{path}:{line}: imports {name}: {rule}" for line, name in found if (rule := broken_rule(module, name))]


@pytest.mark.parametrize("package", [name for name in PACKAGES if (ROOT / name).is_dir()])
def test_imports_run_downwards(package: str) -> None:
    paths = sorted((ROOT / package).rglob("*.py"))
    assert paths
    assert not [fault for path in paths for fault in faults(path.read_text("utf-8"), path.relative_to(ROOT))]


@pytest.mark.parametrize(
    ("path", "planted"),
    [
        ("edge_sr/image/tiling.py", "from edge_sr.pipeline import upscale"),
        ("edge_sr/image/tiling.py", "def f():\n    from .. import models"),
        ("edge_sr/bench/measure.py", "import edge_sr.service"),
        ("edge_sr/__init__.py", "from edge_sr.image import png"),
        ("edge_sr/attic/x.py", "import edge_sr.errors"),
        ("edge_sr/cli/run.py", "import build_engines.command"),
        ("edge_sr/models/base.py", "import torch.nn as nn"),
        ("edge_sr/cli/doctor.py", "from onnxruntime import InferenceSession"),
        ("edge_sr/backends/onnxrt.py", "import tensorrt as trt"),
        ("edge_sr/pipeline/tiles.py", "from cuda.bindings import driver"),
        ("host_training/export.py", "from build_engines import lint"),
        ("build_engines/compose.py", "import host_training.nets"),
        ("calibration/collect.py", "from build_engines.compose import compose"),
        ("benchmarks/run.py", "from host_training.nets import unet_lite"),
    ],
)
def test_a_planted_import_is_found(path: str, planted: str) -> None:
    line = planted.count("\n") + 1
    assert [fault.startswith(f"{path}:{line}: ") for fault in faults(planted, Path(path))] == [True]


def test_what_the_picture_allows_is_not_reported() -> None:
    allowed = (
        "import numpy\nfrom host_training.nets.unet_lite import UNetLite\nimport torch\nfrom edge_sr import timing"
    )
    assert faults(allowed, Path("benchmarks/peers/published.py")) == []
