"""docs/add-a-family.md, done as it says on a copy of the project: what it promises is what happens."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "add-a-family.md"
PACKAGES = ("edge_sr", "build_engines", "calibration", "host_training", "benchmarks")
COMMANDS = {"edge-sr": "edge_sr.cli:main", "edge-sr-host": "host_training.command:main"}
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="needs a checkout: the page is not in the wheel")


def steps() -> Iterator[tuple[str, str]]:
    """(language, text) of the page's blocks, in order."""
    for found in FENCE.finditer(PAGE.read_text("utf-8")):
        yield found[1], found[2]


def write(project: Path, block: str) -> None:
    """A block whose first line is "# FILE" is that file; "# FILE, into TABLE" are lines at the begin of a table."""
    head, _, text = block.partition("\n")
    file, _, table = head.removeprefix("# ").partition(", into ")
    path = project / file
    if not table:
        assert not path.exists()
        path.write_text(text)
        return
    changed, count = re.subn(rf"(?m)^({table}\b.*\{{)$", lambda found: f"{found[1]}\n{text.rstrip()}", path.read_text())
    assert count == 1, f"{file} has no table {table}"
    path.write_text(changed)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages, and the console scripts of that copy."""
    folder = tmp_path_factory.mktemp("project")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "bin").mkdir()
    for name, place in COMMANDS.items():
        module, _, function = place.partition(":")
        script = folder / "bin" / name
        main = f"if __name__ == '__main__':\n    {function}()\n"  # guarded: prepare starts processes that import it
        script.write_text(f"#!{sys.executable}\nfrom {module} import {function}\n\n{main}")
        script.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def followed(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the page's commands were typed, after its files were written."""
    pytest.importorskip("torch", reason="the network is trained with PyTorch")
    folder = tmp_path_factory.mktemp("work")
    path = f"{project / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = {
        **os.environ,
        "PYTHONPATH": str(project),
        "PATH": path,
        "EDGE_SR_CACHE": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    environment.pop("EDGE_SR_DATA", None)
    for language, text in steps():
        if language != "console":
            write(project, text)
            continue
        for line in text.splitlines():
            command = ["bash", "-ec", line.removeprefix("$ ")]
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return folder


def test_the_bundle_is_of_the_new_family(followed: Path) -> None:
    manifest = json.loads((followed / "fsrcnn" / "manifest.json").read_text())
    assert manifest["family"] == "fsrcnn" and list(manifest["networks"]) == ["generator"]
    assert [table["sampler"] for table in manifest["calibration"]] == ["feedforward"]


def test_it_is_measured_beside_the_default_model(followed: Path) -> None:
    record = json.loads((followed / "evaluation" / "metrics.json").read_text())
    rows = {row["key"] for row in record["sets"]["pairs"]["scales"]["256"]["rows"] if "metrics" in row}
    assert {"cxr-x4-fsrcnn/model_1", "cxr-x4-fsrcnn/unprojected", "cxr-x4-edge/model_1"} <= rows
    assert record["bundles"]["cxr-x4-fsrcnn"]["parameters"] < 30_000


def test_its_picture_comes_from_an_int8_engine(followed: Path) -> None:
    provenance = json.loads((followed / "out" / "lr_x4.json").read_text())
    assert provenance["model"].startswith("cxr-x4-fsrcnn ") and provenance["precision"] == "int8"
    assert "fsrcnn-feedforward-1-int8" in provenance["engine"]
    with Image.open(followed / "out" / "lr_x4.png") as picture:
        assert picture.size == (512, 512) and np.ptp(np.asarray(picture)) > 100
