"""``edge-sr calibrate`` on the bundle that ships."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_sr.artifacts.bundle import Bundle, default_bundle
from edge_sr.artifacts.chain import chain_of
from edge_sr.cli.exit_codes import report
from edge_sr.errors import IntegrityError

pytest.importorskip("onnx", reason="graphs are composed with onnx")
pytest.importorskip("onnxruntime", reason="the graphs run in ONNX Runtime")

from build_engines.chain_graphs import float_graphs, observed_tensors
from build_engines.quantize import FLAVOURS, insert_qdq, placement
from build_engines.ranges.calibrate_command import calibrate
from calibration.table import read_table

Calibrate = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calibrate:
    """The command in tmp_path, with messages and exit codes as the console script gives them."""
    monkeypatch.chdir(tmp_path)

    def call(*words: object) -> Result:
        arguments = ["--threads", "1", "--phantoms", "2", *map(str, words)]

        result = CliRunner().invoke(calibrate, arguments, standalone_mode=False)
        if result.exception is not None:
            result.exit_code = report(result.exception)
        return result

    return call


def test_a_table_that_quantises_the_graph(run: Calibrate, tmp_path: Path) -> None:
    result = run("-o", "table.json", "--method", "minmax", "--steps", "2", "--plot", "ranges.svg")
    assert result.exit_code == 0, result.output
    assert "cxr-x4-edge" in result.output and "observed on 2 pictures at fidelity 1, 0.5, 0" in result.output
    table = read_table(tmp_path / "table.json")
    chain = chain_of(Bundle.open(default_bundle()), steps=2)
    model = float_graphs(chain)["upscale"]
    table.check("table.json", tensors=observed_tensors(model), graph_sha256=chain.sha256, steps=2, method="minmax")
    for flavour in FLAVOURS.values():
        places = placement(model, flavour.name)
        insert_qdq(model, table.ranges(symmetric=flavour.symmetric), places)
    assert table.tensors["denoiser0/relu_3"].maximum != table.tensors["denoiser1/relu_3"].maximum
    assert "denoiser/relu_3" in (tmp_path / "ranges.svg").read_text()
    with pytest.raises(IntegrityError, match="its graph_sha256 is"):
        table.check("table.json", graph_sha256=chain_of(Bundle.open(default_bundle())).sha256)


def test_a_sampler_that_draws_noise_is_observed_network_by_network(run: Calibrate, tmp_path: Path) -> None:
    assert run("-o", "table.json", "--sampler", "ddpm", "--steps", "3").exit_code == 0
    table = read_table(tmp_path / "table.json")
    assert (table.origin.sampler, table.origin.steps) == ("ddpm", 3)
    seen = {name: each.count for name, each in table.tensors.items()}
    assert seen["denoiser/relu_3"] == 2 * 3 * 3 * 96 * 16 * 16  # pictures, fidelities, steps, channels, places
    assert seen["encoder/relu_3"] == 2 * 3 * 64 * 32 * 32


def test_the_same_command_writes_the_same_bytes(run: Calibrate, tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        assert run("-o", name, "--method", "percentile-99.99").exit_code == 0
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_targets_are_judged_before_the_work(run: Calibrate, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "table.json").write_text("mine")
    for words, told in (
        (("-o", "table.json"), "the target exists already"),
        (("-o", "."), "is a folder"),
        (("-o", "none/table.json"), "there is no such folder"),
        (("-o", "new.json", "--plot", "table.json"), "the target exists already"),
    ):
        assert run(*words).exit_code == 2
        assert told in capsys.readouterr().err
    assert (tmp_path / "table.json").read_text() == "mine"


def test_faults_of_the_command_line(run: Calibrate, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, told in (
        (("--images", "none"), "no such folder"),
        (("--phantoms", "0"), "no picture to calibrate on"),
        (("--steps", "5000"), "5000 steps are out of range"),
        (("--method", "median"), "Invalid value for '--method'"),
        (("none",), "no such model"),
    ):
        assert run("-o", "table.json", *words).exit_code == 2
        assert told in capsys.readouterr().err
    assert not (tmp_path / "table.json").exists()


def test_a_graph_without_convolutions_has_nothing_to_calibrate(
    run: Calibrate, tiny: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tiny.folder, "-o", "table.json").exit_code == 2
    assert "no tensor to observe" in capsys.readouterr().err
