"""The constraint files for JetPack: pip finds wheels for aarch64 for everything that is not compiled on the board."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PYTHON_OF = {"jetpack-6": "3.10", "jetpack-7": "3.12"}
GLIBC_OF = {"jetpack-6": 35, "jetpack-7": 39}  # Ubuntu 22.04 and 24.04
COMPILED = {"pycuda"}  # on the board, against its CUDA; jetson-stats is plain Python
UNREACHABLE = ("Temporary failure in name resolution", "Connection refused", "Max retries exceeded")


def wanted() -> list[str]:
    """What `pip install "edge-sr[build,jetson]"` asks for on aarch64, and the runtime of the float32 reference."""
    tree = ast.parse((ROOT / "setup.py").read_text("utf-8"))
    assigned = {node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign)}  # type: ignore[attr-defined]
    extras = ast.literal_eval(assigned["EXTRAS"])
    names = [*ast.literal_eval(assigned["REQUIRED"]), *extras["build"], *extras["jetson"]]
    return [name for name in names if "platform_machine" not in name and name not in COMPILED] + ["onnxruntime"]


def resolve(name: str, target: Path, *more: str) -> subprocess.CompletedProcess[str]:
    platforms = [f"--platform=manylinux_2_{minor}_aarch64" for minor in range(17, GLIBC_OF[name] + 1)]
    words = ["install", "--dry-run", "--ignore-installed", "--target", target, "--only-binary=:all:", *platforms]
    words += ["--platform=manylinux2014_aarch64", f"--python-version={PYTHON_OF[name]}", "--implementation=cp"]
    words += ["-c", ROOT / "constraints" / f"{name}.txt", *wanted(), *more]
    return subprocess.run([sys.executable, "-m", "pip", *map(str, words)], capture_output=True, text=True)


def test_what_is_wanted_is_read_from_setup() -> None:
    names = {re.split(r"[<>=]", each)[0] for each in wanted()}
    assert {"click", "numpy", "Pillow", "onnx", "polygraphy", "cuda-python", "jetson-stats"} <= names
    assert not {"torch", "pycuda", "opencv-python-headless"} & names


@pytest.mark.parametrize("name", PYTHON_OF)
def test_the_constraints_resolve_to_wheels_for_aarch64(name: str, tmp_path: Path) -> None:
    result = resolve(name, tmp_path)
    if result.returncode and any(sign in result.stderr for sign in UNREACHABLE):
        pytest.skip("no package index can be reached")
    if "requires a different Python" in result.stderr:
        pytest.skip("this pip holds wheels for another Python against its own")
    assert result.returncode == 0, result.stderr[-2000:]
    chosen = re.search(r"Would install (.*)", result.stdout)
    assert chosen and "numpy-1.26.4" in chosen[1] and "onnx-1.23.2" in chosen[1]


def test_a_pin_without_a_wheel_would_show(tmp_path: Path) -> None:
    result = resolve("jetpack-6", tmp_path, "onnxruntime==1.31.1")
    assert result.returncode != 0 and "onnxruntime" in result.stderr
