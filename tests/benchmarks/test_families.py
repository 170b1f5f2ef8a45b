"""The table of families: every bundle measured in one run, and how long each was trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the evaluation belongs to the host")
families = pytest.importorskip("benchmarks.families", reason="needs a checkout: benchmarks is not installed")

from edge_sr.artifacts.bundle import Bundle  # noqa: E402
from host_training.evaluation.trained_steps import trained_steps  # noqa: E402
from tests.host_training.evaluation.toy_data import write_toy_data  # noqa: E402


def test_a_bundle_tells_how_long_it_was_trained(tmp_path: Path, generator: Bundle) -> None:
    folder = tmp_path / "bundle"
    (folder / "training").mkdir(parents=True)
    log = {"first": [{"step": 5}, {"step": 20}], "last": [{"step": 7}]}
    (folder / "training" / "log.json").write_text(json.dumps(log))
    assert trained_steps(Bundle(folder, generator.manifest, "")) == {"first": 20, "last": 7}
    assert trained_steps(generator) == {}


def test_every_bundle_is_measured_in_one_run(
    tmp_path: Path, generator: Bundle, tiny: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(families, "SETS", ("nih-test",))
    data = write_toy_data(tmp_path, test=2, validation=1)
    record = families.measured([str(tiny.folder), str(generator.folder)], data)
    rows = {row["key"] for row in record["sets"]["nih-test"]["scales"]["256"]["rows"] if "metrics" in row}
    assert {"bicubic", "tiny/model_0", "tiny-generator/model_1", "tiny-generator/unprojected"} <= rows
    assert record["bundles"]["tiny-generator"]["macs"] > 0 and record["bundles"]["tiny"]["trained_steps"] == {}
