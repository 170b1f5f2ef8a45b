from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from edge_sr.artifacts.bundle import Bundle, default_bundle
from tests.conftest import RunCli


def test_an_output_tells_how_it_was_made(cli: RunCli, chest: Path) -> None:
    cli("run", chest, "--model", "bicubic")
    result = cli("inspect", "chest_x4.png")
    assert result.exit_code == 0
    assert "model" in result.stdout and "bicubic" in result.stdout and "diagnostic" in result.stdout
    document = json.loads(cli("inspect", "chest_x4.png", "--json").stdout)
    assert document["kind"] == "output" and document["provenance"]["scale"] == 4


def test_a_bundle_is_verified_and_summed_up(cli: RunCli, fake: Bundle) -> None:
    document = json.loads(cli("inspect", fake.folder, "--json").stdout)
    assert document["kind"] == "bundle" and document["sha256"] == fake.sha256
    assert document["networks"]["encoder"]["inputs"] == "lr float32[N, 1, 64, 64]"
    table = cli("inspect", fake.folder).stdout
    assert "4 files, every hash as listed" in table and "prediction_type" in table


def test_the_evaluation_of_the_default_bundle_fits_a_screen(cli: RunCli) -> None:
    table = cli("inspect", default_bundle()).stdout
    assert "nih-test" in table and "entries, shown by --json" in table
    assert max(map(len, table.splitlines())) <= 120
    assert len(json.loads(cli("inspect", default_bundle(), "--json").stdout)["evaluation"]["sets"]) == 2


def test_a_changed_bundle_is_an_integrity_error(cli: RunCli, fake: Bundle) -> None:
    shutil.copytree(fake.folder, "changed")
    Path("changed/onnx/decoder.onnx").write_text("other")
    result = cli("inspect", "changed")
    assert result.exit_code == 5
    assert "decoder.onnx" in result.stderr


def test_an_onnx_file_is_counted(cli: RunCli, tiny: Bundle) -> None:
    document = json.loads(cli("inspect", tiny.path("denoiser"), "--json").stdout)
    assert (document["ir_version"], document["opset"], document["parameters"]) == (10, {"ai.onnx": 20}, 2)
    assert document["operators"] == {"Mul": 2, "Add": 2, "Cast": 1}
    assert document["inputs"][2] == "timestep int64[1]"
    assert "prediction float32[N, 4, 32, 32]" in cli("inspect", tiny.path("denoiser")).stdout


def test_without_onnx_it_says_which_extra(cli: RunCli, fake: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    result = cli("inspect", fake.path("encoder"))
    assert result.exit_code == 3
    assert 'pip install "edge-sr[build]"' in result.stderr


@pytest.mark.parametrize("content", [b"", b"hello", b"\x00" * 40])
def test_what_is_no_onnx_is_refused(cli: RunCli, content: bytes) -> None:
    pytest.importorskip("onnx")
    Path("wrong.onnx").write_bytes(content)
    result = cli("inspect", "wrong.onnx")
    assert result.exit_code == 1
    assert "wrong.onnx: is no ONNX file" in result.stderr


def test_a_png_of_somebody_else_is_told_from_ours(cli: RunCli, chest: Path) -> None:
    result = cli("inspect", chest)
    assert result.exit_code == 1
    assert "carries no provenance" in result.stderr and f"edge-sr run {chest}" in result.stderr


@pytest.mark.parametrize(
    ("name", "message"), [("notes.txt", "cannot inspect a .txt file"), ("gone.png", "no such file")]
)
def test_anything_else_is_refused(cli: RunCli, name: str, message: str) -> None:
    Path("notes.txt").write_text("hello")
    result = cli("inspect", name)
    assert result.exit_code == 1
    assert message in result.stderr
