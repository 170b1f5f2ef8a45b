"""The constraint files for JetPack: pip finds wheels for aarch64 for everything that is not compiled on the board.

pip takes the wheels of the board's Python, and yet reads every marker (python_version, platform_machine) as of the
machine it runs on; so markers are read here anew, for the board.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).resolve().parents[1]
PYTHON_OF = {"jetpack-6": "3.10", "jetpack-7": "3.12"}
GLIBC_OF = {"jetpack-6": 35, "jetpack-7": 39}  # Ubuntu 22.04 and 24.04
COMPILED = {"pycuda"}  # on the board, against its CUDA; jetson-stats is plain Python
NEEDED_BY_COMPILED = ("pytools>=2011.2", "platformdirs>=2.2")  # by pycuda, as its own setup.py has it
UNREACHABLE = ("Temporary failure in name resolution", "Connection refused", "Max retries exceeded")

Installed = dict[str, dict[str, Any]]
"""What pip would install: name -> its part of pip's report."""


def on_board(name: str) -> dict[str, str]:
    """The environment that markers are read in."""
    python = PYTHON_OF[name]
    return {
        "platform_machine": "aarch64",
        "python_version": python,
        "python_full_version": f"{python}.12",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }


def applies(requirement: Requirement, name: str, extra: str = "") -> bool:
    return requirement.marker is None or requirement.marker.evaluate(on_board(name) | {"extra": extra})


def wanted(name: str) -> list[str]:
    """What `pip install "edge-sr[build,jetson]"` asks for on that board, and the runtime of the float32 reference."""
    tree = ast.parse((ROOT / "setup.py").read_text("utf-8"))
    assigned = {node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign)}  # type: ignore[attr-defined]
    extras = ast.literal_eval(assigned["EXTRAS"])
    texts = [*ast.literal_eval(assigned["REQUIRED"]), *extras["cpu"], *extras["build"], *extras["jetson"]]
    read = [Requirement(text) for text in (*texts, *NEEDED_BY_COMPILED)]
    return [bare(each) for each in read if applies(each, name) and each.name not in COMPILED]


def bare(requirement: Requirement) -> str:
    """Without its marker, which pip would read as of this machine."""
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{requirement.specifier}"


def resolve(name: str, target: Path, requirements: list[str], constraints: Path | None = None) -> Installed:
    """Nothing is installed. AssertionError with pip's words where it finds no wheels that fit; skips without a net."""
    platforms = [f"--platform=manylinux_2_{minor}_aarch64" for minor in range(17, GLIBC_OF[name] + 1)]
    words = ["install", "--dry-run", "--ignore-installed", "--quiet", "--report", target / "report.json"]
    words += ["--target", target / "none", "--only-binary=:all:", *platforms, "--platform=manylinux2014_aarch64"]
    words += [f"--python-version={PYTHON_OF[name]}", "--implementation=cp"]
    words += ["-c", constraints or ROOT / "constraints" / f"{name}.txt", *requirements]
    done = subprocess.run([sys.executable, "-m", "pip", *map(str, words)], capture_output=True, text=True)
    if done.returncode and any(sign in done.stderr for sign in UNREACHABLE):
        pytest.skip("no package index can be reached")
    if "requires a different Python" in done.stderr:
        pytest.skip("this pip holds wheels for another Python against its own")
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads((target / "report.json").read_text("utf-8"))
    return {canonicalize_name(each["metadata"]["name"]): each for each in report["install"]}


def resolve_for_board(name: str, target: Path) -> Installed:
    """Again with what the board's markers add, until nothing is missing there."""
    requirements = wanted(name)
    for _ in range(4):
        installed = resolve(name, target, requirements)
        if not (missing := sorted(set(unmet(name, requirements, installed)))):
            return installed
        requirements += missing
    raise AssertionError(f"no end of {missing}")


def unmet(name: str, requirements: list[str], installed: Installed) -> Iterator[str]:
    """What is asked for on the board and is not among ``installed``, or in another version."""
    asked = [Requirement(text) for text in requirements]
    extras = {(canonicalize_name(each.name), extra) for each in asked for extra in each.extras}
    for owner, part in installed.items():
        for text in part["metadata"].get("requires_dist", []):
            need = Requirement(text)
            active = ["", *(extra for of, extra in extras if of == owner)]
            if not any(applies(need, name, extra) for extra in active):
                continue
            chosen = installed.get(canonicalize_name(need.name))
            if chosen is None or not need.specifier.contains(chosen["metadata"]["version"], prereleases=True):
                yield bare(need)


def pins(name: str) -> dict[str, str]:
    text = (ROOT / "constraints" / f"{name}.txt").read_text("utf-8")
    return {canonicalize_name(key): value for key, value in re.findall(r"^([\w.-]+)==(\S+)$", text, re.MULTILINE)}


def test_what_is_wanted_is_read_from_setup_for_the_board() -> None:
    names = {name: {re.split(r"[\[<>=]", each)[0] for each in wanted(name)} for name in PYTHON_OF}
    assert {"click", "numpy", "Pillow", "onnx", "onnxruntime", "polygraphy", "jetson-stats"} <= names["jetpack-6"]
    assert not {"torch", "pycuda", "opencv-python-headless"} & names["jetpack-6"]
    assert "onnxruntime>=1.23" in wanted("jetpack-6") and "onnxruntime>=1.30" in wanted("jetpack-7")


@pytest.mark.parametrize("name", PYTHON_OF)
def test_the_constraints_resolve_to_wheels_for_aarch64(name: str, tmp_path: Path) -> None:
    installed = resolve_for_board(name, tmp_path)
    versions = {each: part["metadata"]["version"] for each, part in installed.items()}
    assert pins(name).items() <= versions.items()  # none is idle
    files = [part["download_info"]["url"].rpartition("/")[2] for part in installed.values()]
    platforms = {tag.platform for file in files for tag in parse_wheel_filename(file)[3]}
    assert all(each == "any" or each.endswith("_aarch64") for each in platforms)
    assert any(f"cp{PYTHON_OF[name].replace('.', '')}" in file for file in files)


def test_a_pin_without_a_wheel_would_show(tmp_path: Path) -> None:
    text = (ROOT / "constraints" / "jetpack-6.txt").read_text("utf-8")
    changed = tmp_path / "changed.txt"
    changed.write_text(text.replace("onnxruntime==1.23.2", "onnxruntime==1.31.1"))  # has none for Python 3.10
    with pytest.raises(AssertionError, match="ResolutionImpossible|No matching distribution"):
        resolve("jetpack-6", tmp_path, ["onnxruntime"], changed)


def test_what_the_board_alone_needs_would_show() -> None:
    needs = [
        "first; python_version < '3.11'",
        "second; platform_machine == 'aarch64'",
        "third; os_name == 'nt'",
    ]
    installed = {
        "owner": {"metadata": {"version": "1", "requires_dist": [*needs, "old>=2", "more; extra == 'unasked'"]}},
        "old": {"metadata": {"version": "1.9"}},
    }
    assert set(unmet("jetpack-6", ["owner"], installed)) == {"first", "second", "old>=2"}
    assert set(unmet("jetpack-7", ["owner"], installed)) == {"second", "old>=2"}
