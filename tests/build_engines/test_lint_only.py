"""``edge-sr build --lint-only``: what TensorRT would say, on a machine without one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

onnx = pytest.importorskip("onnx", reason="graphs are composed with onnx")
pytest.importorskip("onnxruntime", reason="tables are made in ONNX Runtime")

from build_engines import lint_only  # noqa: E402
from build_engines.chain_graphs import Graphs  # noqa: E402
from build_engines.lint.tensorrt_versions import VERSIONS  # noqa: E402
from edge_sr.artifacts.bundle import Bundle  # noqa: E402
from edge_sr.artifacts.chain import Chain  # noqa: E402
from tests.conftest import RunCli  # noqa: E402


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_bundle_that_ships_is_clean(cli: RunCli, default_table: Path, engine_cache: Path, precision: str) -> None:
    words = ("--lint-only", "--precision", precision, "--steps", 1, "--calibration", default_table)
    result = cli("build", *words)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [f"upscale, TensorRT {each}:" for each in VERSIONS]
    assert not [line for line in lines if line.startswith(("  error", "  warning"))]
    document = json.loads(cli("build", *words, "--json").stdout)
    assert document["passes"] is True
    assert [graph["tensorrt"] for graph in document["graphs"]] == list(VERSIONS)
    assert not engine_cache.exists()


def test_one_version_of_one_network_each(cli: RunCli, tiny: Bundle) -> None:
    words = ("--lint-only", "--precision", "fp16", "--sampler", "ddpm", "--steps", 2, "--tensorrt", "10.3")
    lines = cli("build", tiny.folder, *words).stdout.splitlines()
    heads = [line for line in lines if not line.startswith(" ")]
    assert heads == [f"{role}, TensorRT 10.3:" for role in ("encoder", "denoiser", "decoder")]


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain's graph with an operator that TensorRT does not know."""

    def graphs(chain: Chain) -> Graphs:
        text = '<ir_version: 10, opset_import: ["" : 20]> g (float[N] x) => (float[N] y) { y = Det(x) }'
        return {"upscale": onnx.parser.parse_model(text)}

    monkeypatch.setattr(lint_only, "float_graphs", graphs)


def test_an_error_is_named_and_exits_1(cli: RunCli, tiny: Bundle, faulty: None) -> None:
    result = cli("build", tiny.folder, "--lint-only", "--precision", "fp32", "--tensorrt", "11")
    assert result.exit_code == 1 and "Det" in result.stdout
    result = cli("build", tiny.folder, "--lint-only", "--precision", "fp32", "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["passes"] is False and "Det" in json.dumps(document["graphs"])


def test_a_table_that_does_not_fit_is_refused(cli: RunCli, default_table: Path) -> None:
    result = cli("build", "--lint-only", "--precision", "int8", "--steps", 2, "--calibration", default_table)
    assert result.exit_code == 5 and "its steps is 1; expected 2" in result.stderr
