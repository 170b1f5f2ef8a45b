"""The benchmark of precisions on one phantom: its rows are what they say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("onnx", reason="engines are built with onnx")
pytest.importorskip("onnxruntime", reason="engines are built for ONNX Runtime")
pytest.importorskip("benchmarks", reason="benchmarks are not in the wheel")

from benchmarks import precision
from edge_sr.artifacts.bundle import Bundle, default_bundle
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.png import write_png
from edge_sr.image.radiograph import to_unit

HR = to_unit(chest_phantom(256, seed=5))


def test_every_row_is_held_against_float32() -> None:
    (record,) = precision.measure(
        Bundle.open(default_bundle()),
        {"phantom": HR},
        threads=1,
        tell=lambda line: None,
        all_steps=(1,),
        precisions=("fp32", "int8"),
    )
    rows = {row["name"]: row for row in record["rows"]}
    assert list(rows) == ["fp32", "int8", precision.SHARED, precision.FOR_TENSORRT]
    scores = {name: row["sets"]["phantom"] for name, row in rows.items()}
    assert [each["psnr_db_change"] for each in scores["fp32"]] == [0, 0]
    assert all(48 < each["psnr_to_fp32_db"] < 80 for each in scores["int8"] + scores[precision.FOR_TENSORRT])
    for shared, own in zip(scores[precision.SHARED], scores["int8"], strict=True):  # there is one step to share with
        assert shared == pytest.approx(own, abs=1e-3)  # a sum between two codes may take either
    assert rows["fp32"]["speedup"] == 1 and rows["int8"]["bytes"] < rows["fp32"]["bytes"] / 3


def test_a_set_without_a_folder_is_told(tmp_path: Path) -> None:
    result = CliRunner().invoke(precision.command, ["--set", "test", "--out", str(tmp_path / "out.json")])
    assert result.exit_code == 2 and "NAME=FOLDER" in result.output


def test_the_conditions_name_the_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_png(tmp_path / "hr.png", chest_phantom(256, seed=5), text={})
    monkeypatch.setattr(precision, "measure", lambda bundle, sets, **options: [{"sets": [*sets]}])
    out = tmp_path / "out.json"
    result = CliRunner().invoke(precision.command, ["--set", f"one={tmp_path}", "--out", str(out)])
    assert result.exit_code == 0, result.output
    report = json.loads(out.read_text())
    assert report["conditions"]["bundle"].startswith("cxr-x4-edge") and report["chains"] == [{"sets": ["one"]}]
