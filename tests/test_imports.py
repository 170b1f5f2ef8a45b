"""Every module that a device carries imports without the packages that only other machines have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BLOCKED = ("torch", "diffusers", "safetensors", "tensorrt", "pycuda", "cuda", "jtop")
EXTRAS = ("onnx", "onnxruntime", "inotify_simple", "prometheus_client", "starlette", "uvicorn")
ON_STARLETTE = {f"edge_sr.demo.{name}" for name in ("app", "replies", "serve")}  # loaded when the page is served


def modules(package: str) -> list[str]:
    names = (path.relative_to(ROOT).with_suffix("").parts for path in (ROOT / package).rglob("*.py"))
    return sorted(".".join(parts).removesuffix(".__init__") for parts in names)


def import_without(blocked: tuple[str, ...], names: list[str]) -> str:
    """Import all names in a fresh interpreter where the blocked ones are missing; what it says on stderr."""
    lines = ["import sys, importlib", f"sys.modules.update(dict.fromkeys({blocked!r}))"]
    lines += [f"importlib.import_module({name!r})" for name in names]
    return subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True).stderr


def test_edge_sr_imports_without_any_optional_package() -> None:
    names = [name for name in modules("edge_sr") if name not in ON_STARLETTE]
    assert len(names) == len(modules("edge_sr")) - len(ON_STARLETTE)
    assert import_without((*BLOCKED, *EXTRAS), names) == ""


def test_build_engines_imports_without_torch() -> None:
    pytest.importorskip("onnx")
    assert import_without(BLOCKED, modules("build_engines")) == ""


def test_a_missing_package_would_show() -> None:
    assert "import of torch halted" in import_without(BLOCKED, ["torch"])
