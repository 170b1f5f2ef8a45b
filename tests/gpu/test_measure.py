"""benchmarks/cuda_streams.py on the simulated GPU: that it runs, what it finds there, and that it writes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("benchmarks", reason="benchmarks are not in the wheel")
pytest.importorskip("onnxruntime", reason="the simulator runs engines in ONNX Runtime")
pytest.importorskip("onnx", reason="the simulator's engines hold ONNX")

from benchmarks import cuda_streams
from benchmarks.cuda_streams import as_text, command, hidden_share, measure
from edge_sr.errors import EnvironmentFault
from tests.sim.machine import Machine


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """numpy stands for the kernels, so large pictures take their time."""
    if request.node.get_closest_marker("gpu") is None:
        monkeypatch.setattr(cuda_streams, "LARGE", {"height": 16, "width": 16})


def test_the_report_says_that_it_is_simulated_and_all_modes_agree(simulated: Machine, tmp_path: Path) -> None:
    report = measure(tmp_path, pictures=4, compute_ms=3, layers=2, runs=3)
    assert report["simulated"] and as_text(report).startswith("SIMULATED: nothing below is a measurement")
    assert [row["equal_to_numpy"] for row in report["same_in_every_mode"]] == [True] * 4
    assert [row["cuda_graph"] for row in report["same_in_every_mode"]] == ["not wanted", "captured"] * 2
    assert len(report["host_time"]["rows"]) == 8


def test_nothing_simulated_is_written(simulated: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = measure(tmp_path, pictures=4, compute_ms=3, layers=2, runs=3)
    monkeypatch.setattr(cuda_streams, "measure", lambda folder, **options: report)
    done = CliRunner().invoke(command, ["--out", str(tmp_path / "x.json")])
    assert isinstance(done.exception, EnvironmentFault) and "nothing is written" in str(done.exception)
    assert not (tmp_path / "x.json").exists()


def test_without_a_gpu_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise EnvironmentFault("no CUDA driver: libcuda.so.1")

    monkeypatch.setattr("edge_sr.backends.cuda_driver.load_library", missing)
    done = CliRunner().invoke(command, ["--out", str(tmp_path / "x.json")])
    assert isinstance(done.exception, EnvironmentFault) and "no CUDA driver" in str(done.exception)


def test_the_hidden_share_counts_copies_beside_the_compute_of_any_picture() -> None:
    first = {"copy_in": (0.0, 1.0), "compute": (1.0, 5.0), "copy_out": (5.0, 6.0)}
    second = {"copy_in": (1.0, 2.0), "compute": (5.0, 9.0), "copy_out": (9.0, 10.0)}
    assert hidden_share([first]) == 0
    assert hidden_share([first, second]) == 0.5


@pytest.mark.gpu
def test_on_a_gpu_every_mode_gives_the_pictures_of_numpy(real: None, tmp_path: Path) -> None:
    report = measure(tmp_path, pictures=8, runs=20)
    assert not report["simulated"] and all(row["equal_to_numpy"] for row in report["same_in_every_mode"])
