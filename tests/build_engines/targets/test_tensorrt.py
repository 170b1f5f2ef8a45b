"""TensorRT as a build sees it; compiling and running are in tests/sim/test_build_and_run.py."""

from __future__ import annotations

from pathlib import Path

import pytest

onnx = pytest.importorskip("onnx", reason="graphs are written with onnx")

from build_engines.targets.base import Compiled  # noqa: E402
from build_engines.targets.by_name import target_of  # noqa: E402
from build_engines.targets.tensorrt import TensorRTTarget, rules_for  # noqa: E402
from build_engines.targets.trt_options import TrtOptions  # noqa: E402
from edge_sr.backends.trt import TensorRT  # noqa: E402
from edge_sr.errors import EnvironmentFault, IntegrityError  # noqa: E402
from tests.sim.install import install  # noqa: E402
from tests.sim.machine import Machine  # noqa: E402

GRAPH = '<ir_version: 10, opset_import: ["" : 20]> g (float[N,1,4,4] lr) => (float[N,1,4,4] sr) { sr = %s(lr) }'


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TensorRTTarget:
    install(monkeypatch, Machine())
    return TensorRTTarget(TensorRT(), TrtOptions((1, 1, 4)), tmp_path / "cache")


def compiled(target: TensorRTTarget, operator: str, folder: Path) -> Compiled:
    onnx.save(onnx.parser.parse_model(GRAPH % operator), folder / "upscale.onnx")
    return target.compile(folder / "upscale.onnx", folder / "upscale.engine", tell=lambda line: None)


@pytest.mark.parametrize(
    ("version", "rules"),
    [("10.3.0, CUDA 12.6", "10.3"), ("10.7.0, CUDA 12.8", "10.3"), ("10.16.2, CUDA 13.2", "10.16"), ("11.4.1", "11")],
)
def test_the_rules_of_the_newest_version_that_is_not_newer(version: str, rules: str) -> None:
    assert rules_for(version) == rules


def test_what_tensorrt_would_refuse_is_told_before_it_is_asked(target: TensorRTTarget, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=r"upscale.onnx: TensorRT would refuse it: .*Gelu.*\n  try: .*--lint-only"):
        compiled(target, "Gelu", tmp_path)
    assert not (tmp_path / "upscale.engine").exists()


def test_an_engine_comes_with_what_is_known_of_it(target: TensorRTTarget, tmp_path: Path) -> None:
    made = compiled(target, "Relu", tmp_path)
    assert made.simulated and made.details["layers"] == 1
    assert set(made.files) == {"inspector.json", "timing.cache"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["upscale.engine", "upscale.onnx"]
    assert target.options == {"workspace_mib": 1024, "optimization_level": 3} and target.batch == (1, 1, 4)


def test_without_a_gpu_the_cpu_is_taken_unless_tensorrt_is_asked_for(tmp_path: Path) -> None:
    assert target_of(None, cache=tmp_path).flavour == "onnxruntime"
    with pytest.raises(EnvironmentFault, match="no CUDA driver"):
        target_of("tensorrt", cache=tmp_path)


def test_with_a_gpu_tensorrt_is_taken(target: TensorRTTarget, tmp_path: Path) -> None:
    assert target_of(None, cache=tmp_path).flavour == "tensorrt"
    assert target_of("onnxruntime", cache=tmp_path).flavour == "onnxruntime"
