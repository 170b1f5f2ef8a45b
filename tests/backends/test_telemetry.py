"""ONNX Runtime's own builds send telemetry and leave a device id in the home folder; not with edge-sr."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_sr.image.phantom import chest_phantom
from edge_sr.image.png import write_png

pytest.importorskip("onnxruntime", reason="the bundle runs in ONNX Runtime")


@pytest.mark.parametrize("asked", [None, "0"])
def test_a_run_leaves_nothing_in_the_home_folder(asked: str | None, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    write_png(tmp_path / "chest.png", chest_phantom(64), text={})
    # Continuous integration turns it off by a variable of its own, and a cache elsewhere would hide what it writes.
    hidden = ("CI", "ORT_", "XDG_CACHE_HOME", "GITHUB_", "TF_BUILD")
    env = {name: value for name, value in os.environ.items() if not name.startswith(hidden)} | {"HOME": str(home)}
    env |= {} if asked is None else {"ORT_DISABLE_TELEMETRY": asked}
    run = "from edge_sr.cli import main; main()"
    words = ["run", str(tmp_path / "chest.png"), "--model", "fast", "--precision", "fp32"]
    subprocess.run([sys.executable, "-c", run, *words], env=env, check=True, capture_output=True, timeout=120)
    assert (tmp_path / "chest_x4.png").is_file()
    assert [path for path in home.rglob("*") if path.is_file()] == []
