"""How the two are measured and told; no test asks how fast they are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_sr.artifacts.bundle import Bundle
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.models.latent_diffusion import LatentDiffusion

bench = pytest.importorskip("benchmarks.against_published_chain", reason="benchmarks are not in the wheel")

SCRIPT = Path(bench.__file__)
PHASES = [
    {"decode": 1.0, "model": 7.0},
    {"decode": 3.0, "model": 9.0},
    {"decode": 2.0, "model": 8.0},
]


def test_the_ratio_is_that_of_the_medians() -> None:
    timings = bench.Timings(ours_ms=[8.0, 100.0, 10.0], phases_ms=PHASES, reference_ms=[3000.0, 9000.0, 4000.0])
    summary = bench.summarise(timings)
    assert summary["ratio"] == 400.0
    assert (summary["edge_sr"]["p50_ms"], summary["edge_sr"]["p90_ms"]) == (10.0, 82.0)
    assert summary["edge_sr"]["phases_p50_ms"] == {"decode": 2.0, "model": 8.0}
    assert summary["reference"]["each_ms"] == [3000.0, 9000.0, 4000.0]


def test_rounds_alternate_and_leave_only_the_input(tiny: Bundle, tmp_path: Path) -> None:
    seen = []
    with LatentDiffusion(tiny, OnnxRuntime(threads=1, spinning=False)) as model:
        timings = bench.measure(model, seen.append, tmp_path, runs=3, rounds=2)
    assert (len(timings.ours_ms), len(timings.reference_ms)) == (6, 2)
    assert [(lr.shape, lr.dtype) for lr in seen] == [((64, 64), np.uint8)] * 2
    assert {"decode", "compute", "write"} <= timings.phases_ms[0].keys()
    assert sum(timings.phases_ms[0].values()) <= timings.ours_ms[0]
    assert [path.name for path in tmp_path.iterdir()] == ["chest.png"]


def test_the_report_names_its_conditions(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "PACKAGES", ("numpy", "onnxruntime"))  # torch need not be here
    with LatentDiffusion(tiny, OnnxRuntime(threads=1, spinning=False)) as model:
        given = bench.conditions(model, 1, (0.5, 0.25, 0.125))
    timings = bench.Timings(ours_ms=[8.0], phases_ms=PHASES[:1], reference_ms=[4000.0])
    report = json.loads(json.dumps({"conditions": given, **bench.summarise(timings)}))
    text = bench.as_text(report)
    assert "threads each: 1, load before 0.50 0.25 0.12" in text
    assert "tiny 0.0.1, ddim, steps 1, fidelity 1.0, fp32" in text
    assert "500.0 times faster" in text


def test_a_missing_bundle_is_told_before_torch_is_loaded(tmp_path: Path) -> None:
    call = [sys.executable, "-X", "importtime", str(SCRIPT), "--bundle", str(tmp_path / "none")]
    ended = subprocess.run(call, capture_output=True, text=True, env={"PYTHONPATH": str(bench.ROOT)})
    assert ended.returncode == 2
    assert f"error: {tmp_path / 'none'}: no such folder; expected a bundle folder" in ended.stderr
    assert " torch\n" not in ended.stderr
