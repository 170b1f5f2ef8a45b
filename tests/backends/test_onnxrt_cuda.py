"""The CUDA provider against a stand-in of the module: which arguments it gets, in which order, and what is said where
it cannot start. No GPU is touched, and nothing here shows that one would answer.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge_sr.artifacts.bundle import Bundle
from edge_sr.artifacts.engine_key import machine_for
from edge_sr.backends import onnxrt, onnxrt_providers
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.device.facts import read_facts
from edge_sr.errors import DeviceLost, EnvironmentFault, UsageError
from edge_sr.models import load_model

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
ONE = np.ones(3, np.float32)


class Fail(Exception):
    """One of the exceptions that ONNX Runtime raises."""


class Binding:
    """Copies what is bound at once, as the CUDA provider does."""

    def __init__(self, calls: list[str]) -> None:
        self.calls, self.feeds, self.outputs = calls, {}, {}

    def bind_cpu_input(self, name: str, array: np.ndarray) -> None:
        self.feeds[name] = array.copy()

    def bind_output(
        self, name: str, device: str, number: int, kind: type, shape: tuple[int, ...], address: int
    ) -> None:
        assert (device, number, kind, shape) == ("cpu", 0, np.float32, (3,))
        self.outputs[name] = address

    def synchronize_inputs(self) -> None:
        self.calls.append("inputs are there")

    def synchronize_outputs(self) -> None:
        self.calls.append("outputs are there")


class Session:
    def __init__(self, path: str, options: Any, providers: list[Any], enable_fallback: int) -> None:
        self.providers, self.calls, self.fed = providers, [], []
        assert enable_fallback == 0

    def get_providers(self) -> list[str]:
        return [each if isinstance(each, str) else each[0] for each in self.providers]

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name="x", type="tensor(float)", shape=["N"])]

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(name="y", type="tensor(float)", shape=["N"])]

    def io_binding(self) -> Binding:
        return Binding(self.calls)

    def run_with_iobinding(self, binding: Binding) -> None:
        self.calls.append("run")
        self.fed.append(binding.feeds["x"].tolist())


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """onnxruntime-gpu as far as it is used, on a machine with a GPU."""
    real = pytest.importorskip("onnxruntime")
    module = SimpleNamespace(
        __version__="1.31.1",
        SessionOptions=real.SessionOptions,
        GraphOptimizationLevel=real.GraphOptimizationLevel,
        InferenceSession=Session,
        get_available_providers=lambda: ["TensorrtExecutionProvider", CUDA, CPU],
        preloaded=[],
    )
    module.preload_dlls = lambda: module.preloaded.append(print("Failed to load libcudnn.so.9"))
    monkeypatch.setattr(onnxrt, "_import_onnxruntime", lambda: module)
    monkeypatch.setattr(onnxrt, "_failures", lambda ort: (Fail,))
    monkeypatch.setattr(onnxrt_providers, "probe", lambda: None)
    return module


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    (tmp_path / "x.onnx").write_bytes(b"a network")
    return tmp_path / "x.onnx"


def test_cuda_comes_first_and_computes_in_float32(stand_in: SimpleNamespace, artifact: Path) -> None:
    (name, options), rest = OnnxRuntime(provider="cuda").inference_session(artifact).providers
    assert (name, rest) == (CUDA, CPU)
    assert options["use_tf32"] == "0" and options["cudnn_conv_algo_search"] == "HEURISTIC"
    assert OnnxRuntime().inference_session(artifact).providers == [CPU]


def test_the_libraries_of_pip_are_loaded_without_a_word(
    stand_in: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    OnnxRuntime(provider="cuda")
    assert len(stand_in.preloaded) == 1 and capsys.readouterr().out == ""


def test_feeds_are_bound_anew_at_each_call(stand_in: SimpleNamespace, artifact: Path) -> None:
    backend, x, out = OnnxRuntime(provider="cuda"), ONE.copy(), {"y": np.empty(3, np.float32)}
    session = backend.open(artifact)
    for value in (1, 2):
        x[:] = value
        assert session.run({"x": x}, out=out)["y"] is out["y"]
    assert session._session.fed == [[1, 1, 1], [2, 2, 2]]
    assert session._session.calls == ["inputs are there", "run", "outputs are there"] * 2


def test_engines_for_the_cpu_are_not_for_it(stand_in: SimpleNamespace) -> None:
    on_cpu, on_gpu = (machine_for(OnnxRuntime(provider=each), read_facts()) for each in ("cpu", "cuda"))
    assert (on_cpu.backend_version, on_gpu.backend_version) == ("1.31.1", "1.31.1, CUDA")


def test_a_package_without_cuda_says_what_to_type(stand_in: SimpleNamespace) -> None:
    stand_in.get_available_providers = lambda: [CPU]
    with pytest.raises(EnvironmentFault, match=r"built without CUDA\n  try: pip uninstall -y onnxruntime && pip"):
        OnnxRuntime(provider="cuda")


def test_a_machine_without_a_gpu_is_told(stand_in: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_gpu() -> None:
        raise EnvironmentFault("no CUDA driver", hint="--backend onnxruntime")

    monkeypatch.setattr(onnxrt_providers, "probe", no_gpu)
    with pytest.raises(EnvironmentFault, match="no CUDA driver\n  try: nvidia-smi, or --provider cpu"):
        OnnxRuntime(provider="cuda")


def test_a_provider_that_quietly_does_not_start_is_told(
    stand_in: SimpleNamespace, artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Session, "get_providers", lambda self: [CPU])
    with pytest.raises(EnvironmentFault, match="CUDA provider does not start"):
        OnnxRuntime(provider="cuda").open(artifact)


def test_a_gpu_that_fails_is_lost(stand_in: SimpleNamespace, artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(self: Session, binding: Binding) -> None:
        raise Fail("[ONNXRuntimeError] : 1 : FAIL : CUDA failure 700: an illegal memory access was encountered")

    monkeypatch.setattr(Session, "run_with_iobinding", failing)
    with OnnxRuntime(provider="cuda").open(artifact) as session, pytest.raises(DeviceLost, match="illegal memory"):
        session.run({"x": ONE}, out={"y": ONE.copy()})


def test_the_bundle_s_own_networks_run_and_the_provenance_says_on_what(stand_in: SimpleNamespace, tiny: Bundle) -> None:
    with load_model(tiny.folder, precision="auto", provider="cuda") as model:
        model.open()
        told = model.provenance
    assert (told["backend"], told["precision"], told["engine"]) == ("onnxruntime 1.31.1, CUDA", "fp32", None)


def test_another_provider_is_a_usage_error(stand_in: SimpleNamespace) -> None:
    with pytest.raises(UsageError, match="no such provider: rocm; expected cpu or cuda"):
        OnnxRuntime(provider="rocm")
