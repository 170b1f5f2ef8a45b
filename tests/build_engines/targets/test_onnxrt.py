"""Engines of ONNX Runtime: what they compute, and what is told where one cannot be made."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="graphs are written with onnx")
pytest.importorskip("onnxruntime", reason="engines are of ONNX Runtime")

from build_engines.targets.base import Target  # noqa: E402
from build_engines.targets.onnxrt import ANY_BATCH, OnnxRuntimeTarget  # noqa: E402
from edge_sr.artifacts.bundle import Bundle, default_bundle  # noqa: E402
from edge_sr.artifacts.engine_key import machine_for  # noqa: E402
from edge_sr.backends.onnxrt import OnnxRuntime  # noqa: E402
from edge_sr.device.facts import read_facts  # noqa: E402
from edge_sr.errors import EnvironmentFault, IntegrityError  # noqa: E402
from tests.build_engines.tuning.eight_bit import convolutions  # noqa: E402
from tests.small_disk import files_end_at  # noqa: E402

LR = np.random.default_rng(0).random((3, 1, 64, 64), np.float32)


@pytest.fixture
def target() -> Target:
    return OnnxRuntimeTarget(OnnxRuntime(1, spinning=False))


def silent(line: str) -> None: ...


def test_an_engine_computes_what_its_graph_does(target: Target, tiny: Bundle, tmp_path: Path) -> None:
    compiled = target.compile(tiny.path("encoder"), tmp_path / "encoder.engine", tell=silent)
    assert not compiled.simulated
    results = []
    for path in (tiny.path("encoder"), tmp_path / "encoder.engine"):
        with target.backend.open(path) as session:
            results.append(session.run({"lr": LR})["cond"])
    np.testing.assert_allclose(*results, atol=1e-6)


def test_the_projection_gets_faster_operators_and_gives_the_same(target: Target, tmp_path: Path) -> None:
    graph = Bundle.open(default_bundle()).path("upscale")
    compiled = target.compile(graph, tmp_path / "engine", tell=silent)
    operators = {node.op_type for node in onnx.load(tmp_path / "engine").graph.node}
    assert "MatMul" in operators and not {"ReduceMean", "ReduceSum", "Where"} & operators
    assert compiled.details == {} and compiled.files == {}
    feeds = {"lr": LR, "noise": np.random.default_rng(1).standard_normal((3, 4, 32, 32), np.float32)}
    results = []
    for path in (graph, tmp_path / "engine"):
        with target.backend.open(path) as session:
            results.append(session.run(feeds)["sr"])
    np.testing.assert_allclose(*results, atol=5e-6)


def test_what_was_measured_of_8_bit_convolutions_is_told_and_kept(target: Target, tmp_path: Path) -> None:
    onnx.save(convolutions(), tmp_path / "graph.onnx")
    told: list[str] = []
    compiled = target.compile(tmp_path / "graph.onnx", tmp_path / "engine", tell=told.append)
    assert [line.partition(" stay")[0].partition(":")[0] for line in told] == ["8-bit convolutions"]
    kept = json.loads(compiled.files["convolutions.json"])
    assert set(kept["convolutions"]) == {"conv0", "conv1"} and sum(compiled.details["convolutions"].values()) == 2
    with target.backend.open(tmp_path / "engine") as session:
        assert session.run({"x": np.zeros((2, 32, 32, 64), np.uint8)})["y"].shape == (2, 32, 32, 64)


def test_its_key_is_of_this_processor_and_takes_every_batch(target: Target) -> None:
    assert target.machine == machine_for(OnnxRuntime(), read_facts())
    assert target.batch == (1, 1, ANY_BATCH) and target.options == {} and target.flavour == "onnxruntime"


def test_what_is_no_graph_is_told_by_its_name(target: Target, tmp_path: Path) -> None:
    (tmp_path / "graph.onnx").write_bytes(b"hello")
    with pytest.raises(IntegrityError, match=r"graph\.onnx: onnxruntime .* cannot open it"):
        target.compile(tmp_path / "graph.onnx", tmp_path / "graph.engine", tell=silent)


def test_an_engine_that_finds_no_space_is_no_fault_of_its_graph(target: Target, tiny: Bundle, tmp_path: Path) -> None:
    with files_end_at(100), pytest.raises(EnvironmentFault, match=r"graph\.engine: an engine cannot be written"):
        target.compile(tiny.path("encoder"), tmp_path / "graph.engine", tell=silent)
