"""The TensorRT build, run against the tests' simulator: what it asks of TensorRT, tells, writes and cleans up."""

from __future__ import annotations

import io
import json
import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from edge_sr.errors import EnvironmentFault, IntegrityError, UsageError
from tests.sim.libcuda import LibCuda
from tests.sim.machine import Machine

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from build_engines.targets.compile_trt import compile  # noqa: E402
from build_engines.targets.trt_options import CompileReport, TrtOptions  # noqa: E402
from edge_sr.artifacts.bundle import Bundle, default_bundle  # noqa: E402
from edge_sr.backends import cuda_driver  # noqa: E402
from edge_sr.backends.onnxrt import OnnxRuntime  # noqa: E402
from edge_sr.backends.trt import TensorRT  # noqa: E402
from edge_sr.tensors import TensorSpec  # noqa: E402
from tests.sim.engine_file import HEADER, EngineFile  # noqa: E402
from tests.sim.install import install  # noqa: E402

HEAD = '<ir_version: 10, opset_import: ["" : 20]>'
TWICE = HEAD + "g (float[N,2] x) => (float[N,2] y) { half = Cast<to=10>(x) two = Add(half, half) y = Cast<to=1>(two) }"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    install(monkeypatch, machine)
    return machine


def build(folder: Path, text: str = TWICE, options: TrtOptions | None = None, **more: object) -> CompileReport:
    onnx.save(onnx.parser.parse_model(text), folder / "g.onnx")
    more = {"timing_cache": None, "tell": lambda line: None, **more}
    return compile(folder / "g.onnx", folder / "g.engine", options or TrtOptions(), **more)


def test_an_engine_is_written_and_reported(machine: Machine, tmp_path: Path) -> None:
    report = build(tmp_path)
    assert (tmp_path / "g.engine").stat().st_size == report.bytes
    assert (report.layers, report.reformat_layers) == (3, 2)
    assert [layer["LayerType"] for layer in json.loads(report.inspector)["Layers"]] == ["Reformat", "Add", "Reformat"]
    assert machine.leaks() == []


def test_nothing_of_the_simulator_passes_for_a_measurement(machine: Machine, tmp_path: Path) -> None:
    report = build(tmp_path)
    assert report.simulated
    assert report.version == "10.3.0 simulated, CUDA 12.6"
    assert json.loads(report.inspector)["Simulated"] is True
    assert (tmp_path / "g.engine").read_bytes().startswith(HEADER) and HEADER.startswith(b"SIMULATED")


def test_the_batches_become_a_profile(machine: Machine, tmp_path: Path) -> None:
    build(tmp_path, options=TrtOptions(batch=(1, 2, 6)))
    file = EngineFile.of((tmp_path / "g.engine").read_bytes())
    assert file is not None and file.profile == {"x": [[1, 2], [2, 2], [6, 2]]}


def test_an_input_of_fixed_shape_needs_no_profile(machine: Machine, tmp_path: Path) -> None:
    text = HEAD + "g (float[N,2] x, float[1] t) => (float[N,2] y) { y = Mul(x, t) }"
    build(tmp_path, text)
    file = EngineFile.of((tmp_path / "g.engine").read_bytes())
    assert file is not None and list(file.profile) == ["x"]


@pytest.mark.parametrize(
    ("shape", "batch", "reason"),
    [
        ("float[N,2,H]", (1, 1, 1), r"x has the shape \(-1, 2, -1\); expected a free batch"),
        ("float[1,2]", (1, 2, 4), r"no input has a free batch, asked for \(1, 2, 4\)"),
    ],
)
def test_batches_that_do_not_fit_the_graph_are_refused(
    shape: str, batch: tuple[int, int, int], reason: str, machine: Machine, tmp_path: Path
) -> None:
    text = HEAD + f"g ({shape} x) => ({shape} y) {{ y = Neg(x) }}"
    with pytest.raises(UsageError, match=reason):
        build(tmp_path, text, TrtOptions(batch=batch))


@pytest.mark.parametrize("wrong", [{"batch": (2, 1, 4)}, {"batch": (0, 1, 1)}, {"optimization_level": 6}])
def test_impossible_options_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="^got"):
        TrtOptions(**wrong)  # type: ignore[arg-type]


def test_every_error_of_the_parser_is_listed(machine: Machine, tmp_path: Path) -> None:
    text = HEAD + "g (float[N] x) => (float[N] y) { [one] a = Fuse(x) [two] y = Melt(a) }"
    with pytest.raises(IntegrityError) as caught:
        build(tmp_path, text)
    told = str(caught.value)
    assert "g.onnx: TensorRT 10.3.0 simulated does not take it" in told
    assert "node one (Fuse): no importer" in told and "node two (Melt): no importer" in told


def test_what_is_no_onnx_file_is_named(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"\xff hello")
    with pytest.raises(IntegrityError, match=r"bad.onnx: TensorRT .*:\n  Failed to parse"):
        compile(tmp_path / "bad.onnx", tmp_path / "e", TrtOptions(), timing_cache=None, tell=print)


# the GPU is asked first


@pytest.mark.parametrize(
    ("devices", "fails", "reason"),
    [
        (0, {}, "CUDA sees 0 GPUs; expected at least 1"),
        (1, {"cuInit": 100}, r"cuInit says 'no CUDA-capable device is detected' \(100\)"),
        (1, {"cuMemGetInfo_v2": 2}, "cuMemGetInfo_v2 says 'out of memory'"),
    ],
)
def test_without_a_working_gpu_no_tensorrt_object_is_made(
    devices: int,
    fails: dict[str, int],
    reason: str,
    machine: Machine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cuda_driver, "load_library", lambda: LibCuda(machine, devices=devices, fails=fails))
    monkeypatch.setattr("tensorrt.Builder", lambda log: pytest.fail("a Builder was made"))
    with pytest.raises(EnvironmentFault, match=reason):
        build(tmp_path)
    assert machine.leaks() == []


def test_too_little_free_memory_is_told_before_the_build(machine: Machine, tmp_path: Path) -> None:
    machine.free_mib = 900
    with pytest.raises(EnvironmentFault, match="900 MiB of 8000 are free on Simulated GPU, a build may take 1283"):
        build(tmp_path)
    assert build(tmp_path, options=TrtOptions(workspace_mib=512)).bytes > 0


def test_a_missing_tensorrt_says_what_to_install(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tensorrt", None)
    with pytest.raises(EnvironmentFault, match="apt install python3-libnvinfer"):
        build(tmp_path)


def test_a_failed_build_tells_the_last_error_of_tensorrt(machine: Machine, tmp_path: Path) -> None:
    machine.during_build = lambda step: setattr(machine, "free_mib", 0)
    text = HEAD + "g (float[N,2] x) => (float[N,3] y) <float[3] c = {1,2,3}> { y = Add(x, c) }"
    with pytest.raises(EnvironmentFault, match=r"g.onnx: TensorRT built no engine: "):
        build(tmp_path, text)
    assert not (tmp_path / "g.engine").exists()


# the timing cache


def test_a_timing_cache_is_written_and_read_again(machine: Machine, tmp_path: Path) -> None:
    cache = tmp_path / "timing.cache"
    states = [build(tmp_path, timing_cache=cache).timing_cache for _ in range(2)]
    assert states == ["new", "read"]
    assert cache.read_bytes().startswith(b"SIMULATED")


@pytest.mark.parametrize("content", [b"SIMULATED timing cache of 11.4.0", b"rubbish"])
def test_a_foreign_timing_cache_is_ignored_with_a_note(content: bytes, machine: Machine, tmp_path: Path) -> None:
    cache, told = tmp_path / "timing.cache", []
    cache.write_bytes(content)
    assert build(tmp_path, timing_cache=cache, tell=told.append).timing_cache == "foreign"
    assert told == [f"{cache} was made by another GPU or TensorRT; it is ignored and written anew"]
    assert build(tmp_path, timing_cache=cache).timing_cache == "read"


# progress and Ctrl-C


def test_a_terminal_gets_a_bar_that_is_wiped(machine: Machine, tmp_path: Path) -> None:
    terminal, seen = io.StringIO(), threading.Event()
    machine.during_build = lambda step: seen.wait(0.3 * (step == 1)) and None
    build(tmp_path, terminal=terminal)
    assert "\r[" in terminal.getvalue() and "Tactic Selection" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r") and terminal.getvalue().rsplit("\r", 2)[1].strip() == ""


def test_ctrl_c_leaves_nothing_behind(machine: Machine, tmp_path: Path) -> None:
    def interrupt(step: int) -> None:
        if step == 1:
            os.kill(os.getpid(), signal.SIGINT)
            stopped.wait(5)

    stopped, told = threading.Event(), []

    def tell(line: str) -> None:
        told.append(line)
        stopped.set()

    machine.during_build = interrupt
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path, timing_cache=tmp_path / "timing.cache", tell=tell)
    assert told == ["stopping at the builder's next step"]
    assert [path.name for path in tmp_path.iterdir()] == ["g.onnx"]
    assert machine.leaks() == [] and "TensorRT build" not in {thread.name for thread in threading.enumerate()}


def test_the_default_bundle_is_compiled_and_runs(machine: Machine, tmp_path: Path) -> None:
    network = Bundle.open(default_bundle()).path("upscale")
    engine = tmp_path / "upscale.engine"
    compile(network, engine, TrtOptions(batch=(1, 1, 4)), timing_cache=None, tell=print)
    with TensorRT().open(engine) as session, OnnxRuntime(threads=1).open(network) as reference:
        assert session.inputs == reference.inputs and session.batch == (1, 1, 4)
        fed = {spec.name: some(spec, number) for number, spec in enumerate(session.inputs)}
        assert np.abs(session.run(fed)["sr"] - reference.run(fed)["sr"]).max() < 1e-5
    assert (machine.faults, machine.leaks()) == ([], [])


def some(spec: TensorSpec, seed: int) -> np.ndarray:
    shape = tuple(2 if isinstance(axis, str) else axis for axis in spec.shape)
    return np.random.default_rng(seed).random(shape, np.float32)


@pytest.mark.parametrize("version", ["10.3.0", "10.16.1", "11.4.0"])
def test_all_versions_take_the_same_path(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Machine(), version=version)
    assert build(tmp_path).version.startswith(f"{version} simulated")


def test_a_network_without_strong_typing_is_a_fault_of_the_caller(machine: Machine) -> None:
    import tensorrt as trt

    class Log(trt.ILogger):
        def log(self, severity: object, msg: str) -> None: ...

    with pytest.raises(AssertionError, match="not strongly typed"):
        trt.Builder(Log()).create_network(0)
