"""``edge-sr bench`` with TensorRT, end to end on the simulator: the parts fit together, and nothing is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="graphs are composed with onnx")
pytest.importorskip("onnxruntime", reason="the simulator runs engines in ONNX Runtime")

from click.testing import CliRunner

from edge_sr.artifacts.bundle import Bundle
from edge_sr.bench import measure
from edge_sr.bench.latency import WarmUp
from edge_sr.bench.schema import read_report
from edge_sr.cli.lazy_group import LazyGroup
from tests.conftest import RunCli
from tests.sim.install import install
from tests.sim.machine import Machine

BENCH = ("--minutes", "0.01", "--rounds", "1", "--batch", "1,2", "--backend", "tensorrt", "--precision", "fp16,int8")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(seed=None)
    install(monkeypatch, machine)
    monkeypatch.setattr(measure, "STREAMED", 2)
    monkeypatch.setattr(measure, "warm_up", lambda call, **limits: WarmUp(0, 0.0, True))
    return machine


def test_an_engine_of_tensorrt_is_measured_and_everything_says_simulated(
    machine: Machine, tiny: Bundle, cli: RunCli
) -> None:
    built = cli("build", tiny.folder, "--backend", "tensorrt", "--precision", "fp16", "--check-phantoms", 1)
    assert built.exit_code == 0, built.output
    group = LazyGroup("edge-sr", table={"bench": ("edge_sr.cli.bench:bench", "")}, needs="", help="", epilog="")
    result = CliRunner().invoke(group, ["bench", str(tiny.folder), *BENCH, "--out", "b.json", "--html", "b.html"])
    assert result.exit_code == 0, result.output
    report = read_report(Path("b.json"))
    (variant,) = report.variants
    assert report.simulated and (variant.backend, variant.precision) == ("tensorrt", "fp16")
    assert variant.engine is not None and variant.engine_bytes and variant.build_seconds is not None
    assert "compute" in variant.latency.phases_p50_ms and variant.stream_pictures_per_s
    assert variant.opening.cold_start_ms is None and variant.memory is None and report.conditions.gpu is not None
    assert any("int8" in line and "edge-sr build" in line for line in report.warnings)
    assert "SIMULATED" in result.stdout and "SIMULATED" in Path("b.html").read_text()
    told = [line for line in result.stderr.splitlines() if line and "is left out" not in line]
    assert all(line.startswith("SIMULATED") for line in told)
    assert machine.leaks() == []
