"""The GPU that does nothing: our whole session runs on it, and nothing of it stays behind."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("benchmarks", reason="benchmarks are not in the wheel")

from benchmarks.idle_gpu import SHAPES, idle_session, run_ms
from edge_sr.backends import cuda_driver


def test_every_call_is_timed() -> None:
    taken_ms = run_ms(runs=7, warm_up=3)
    assert len(taken_ms) == 7 and min(taken_ms) > 0


def test_the_real_session_runs_on_it(tmp_path: Path) -> None:
    (tmp_path / "engine").touch()
    feeds = {name: np.zeros((1, *SHAPES[name]), np.float32) for name in ("lr", "noise")}
    with idle_session(tmp_path / "engine") as session:
        results = [session.run(feeds)["sr"] for _ in range(4)]
        assert session.cuda_graph == "captured" and list(session.times) == ["copy_in", "compute", "copy_out"]
    assert all(result.shape == (1, *SHAPES["sr"]) for result in results)


def test_what_it_stands_for_comes_back(tmp_path: Path) -> None:
    (tmp_path / "engine").touch()
    before, load = {name: sys.modules.get(name) for name in ("pycuda", "cuda")}, cuda_driver.load_library
    with idle_session(tmp_path / "engine"):
        assert sys.modules["pycuda"] is not before["pycuda"]
    assert {name: sys.modules.get(name) for name in before} == before and cuda_driver.load_library is load
