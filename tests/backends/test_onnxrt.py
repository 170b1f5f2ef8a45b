"""ONNX Runtime runs a graph, says what the graph wants, and names the file it cannot open."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from edge_sr.artifacts.bundle import Bundle
from edge_sr.backends import onnxrt
from edge_sr.backends.base import Backend
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.errors import EdgeSRError, EnvironmentFault, IntegrityError, UsageError
from edge_sr.tensors import TensorSpec

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

FLOAT, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64


def add_graph(op: str = "Add") -> onnx.ModelProto:
    """sum (N, 2) = a (N, 2) + b (N, 2), and step (1,) passed through."""
    make = onnx.helper.make_tensor_value_info
    nodes = [onnx.helper.make_node(op, ["a", "b"], ["sum"]), onnx.helper.make_node("Identity", ["step"], ["same"])]
    inputs = [make("a", FLOAT, ["N", 2]), make("b", FLOAT, ["N", 2]), make("step", INT64, [1])]
    graph = onnx.helper.make_graph(nodes, "add", inputs, [make("sum", FLOAT, ["N", 2]), make("same", INT64, [1])])
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    onnx.save(add_graph(), tmp_path / "add.onnx")
    return tmp_path / "add.onnx"


@pytest.fixture
def backend() -> Backend:
    return OnnxRuntime(threads=1)


def feeds(a: float = 1, rows_of_b: int = 3) -> dict[str, np.ndarray]:
    ones = np.ones((rows_of_b, 2), np.float32)
    return {"a": np.full((3, 2), a, np.float32), "b": ones, "step": np.array([7], np.int64)}


def test_specs_come_from_the_file(backend: Backend, artifact: Path) -> None:
    session = backend.open(artifact)
    assert session.inputs[0] == TensorSpec("a", ("N", 2), "float32")
    assert session.inputs[2] == TensorSpec("step", (1,), "int64")
    assert [spec.name for spec in session.outputs] == ["sum", "same"]


def test_run_returns_every_output_by_name(backend: Backend, artifact: Path) -> None:
    outputs = backend.open(artifact).run(feeds(a=2))
    assert outputs["sum"].tolist() == [[3, 3]] * 3
    assert outputs["same"].tolist() == [7]


def test_feeds_need_not_be_contiguous(backend: Backend, artifact: Path) -> None:
    a = np.arange(6, dtype=np.float32).reshape(2, 3).T
    assert backend.open(artifact).run({**feeds(), "a": a})["sum"].tolist() == (a + 1).tolist()


def test_outputs_are_written_where_the_caller_says(backend: Backend, artifact: Path) -> None:
    session, out = backend.open(artifact), {"sum": np.empty((3, 2), np.float32), "same": np.empty(1, np.int64)}
    for a in (2, 5):
        results = session.run(feeds(a=a), out=out)
        assert results["sum"] is out["sum"] and results["same"] is out["same"]
        assert (out["sum"] == a + 1).all() and out["same"] == [7]


def test_a_feed_that_changed_in_place_is_read_again(backend: Backend, artifact: Path) -> None:
    session, fed, out = backend.open(artifact), feeds(a=2), {"sum": np.empty((3, 2), np.float32)}
    session.run(fed, out=out)
    fed["a"][:] = 8
    assert (session.run(fed, out=out)["sum"] == 9).all()


def test_an_output_without_an_array_is_a_new_one(backend: Backend, artifact: Path) -> None:
    session, out = backend.open(artifact), {"sum": np.empty((3, 2), np.float32)}
    steps = [session.run({**feeds(), "step": np.array([n], np.int64)}, out=out)["same"] for n in range(3)]
    assert [int(step[0]) for step in steps] == [0, 1, 2]


def test_other_arrays_and_other_shapes_follow_each_other(backend: Backend, artifact: Path) -> None:
    session = backend.open(artifact)
    for rows in (3, 1, 3, 5):
        fed = {"a": np.full((rows, 2), rows, np.float32).T.copy().T, "b": np.zeros((rows, 2), np.float32)}
        fed["a"].flags.writeable = False
        out = {"sum": np.empty((rows, 2), np.float32)}
        assert (session.run({**fed, "step": np.zeros(1, np.int64)}, out=out)["sum"] == rows).all()


@pytest.mark.parametrize(
    ("out", "reason"),
    [
        ({"total": np.empty((3, 2), np.float32)}, "no such output: total; expected sum float32"),
        ({"sum": np.empty((3, 2))}, r"cannot take an output in float64\[3, 2\]; expected sum float32\[N, 2\]"),
        ({"sum": np.empty((2, 3), np.float32).T}, "sum: cannot take an output; expected a C-contiguous array"),
        ({"sum": np.empty((4, 2), np.float32)}, "add.onnx: onnxruntime failed: .*(3,2|shape)"),
    ],
)
def test_an_array_that_no_output_fits_is_told(
    backend: Backend, artifact: Path, out: dict[str, np.ndarray], reason: str
) -> None:
    session = backend.open(artifact)
    with pytest.raises(EdgeSRError, match=reason):
        session.run(feeds(), out=out)
    assert (session.run(feeds(a=4), out={"sum": np.empty((3, 2), np.float32)})["sum"] == 5).all()


def test_the_time_of_the_computation_is_kept(backend: Backend, artifact: Path) -> None:
    session = backend.open(artifact)
    assert session.times == {}
    session.run(feeds())
    assert list(session.times) == ["compute"] and session.times["compute"] > 0


def test_threads_may_share_a_session(backend: Backend, artifact: Path) -> None:
    session = backend.open(artifact)

    def call(a: int) -> bool:
        out = {"sum": np.empty((3, 2), np.float32)}
        return all((session.run(feeds(a=a), out=out)["sum"] == a + 1).all() for _ in range(200))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(call, range(8)))


def test_a_stream_of_64_pictures_equals_run_in_a_loop(backend: Backend, tiny: Bundle) -> None:
    drawn = np.random.default_rng(0)
    shapes = {"lr": (1, 1, 64, 64), "noise": (1, 4, 32, 32)}
    fed = [{name: drawn.random(shape, np.float32) for name, shape in shapes.items()} for _ in range(64)]
    session, out = backend.open(tiny.path("upscale")), {"sr": np.empty((1, 1, 256, 256), np.float32)}
    streamed = list(session.stream(fed))
    for result, each in zip(streamed, fed, strict=True):
        np.testing.assert_array_equal(result["sr"], session.run(each, out=out)["sr"])


def test_stream_keeps_the_order(backend: Backend, artifact: Path) -> None:
    results = backend.open(artifact).stream(feeds(a=n) for n in range(4))
    assert [out["sum"][0, 0] for out in results] == [1, 2, 3, 4]


def test_unfit_feeds_are_named_before_they_run(backend: Backend, artifact: Path) -> None:
    with pytest.raises(EdgeSRError, match=r"^step: got int32\[1\]; expected step int64\[1\]"):
        backend.open(artifact).run({**feeds(), "step": np.zeros(1, np.int32)})


def test_a_failure_inside_the_graph_names_the_file(backend: Backend, artifact: Path) -> None:
    with pytest.raises(EdgeSRError, match=r"add.onnx: onnxruntime failed: .*Add node"):
        backend.open(artifact).run(feeds(rows_of_b=2))


def test_a_closed_session_refuses_to_run(backend: Backend, artifact: Path) -> None:
    with backend.open(artifact) as session:
        session.run(feeds())
    session.close()
    with pytest.raises(EdgeSRError, match="session is closed"):
        session.run(feeds())


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "No graph was found|not have a graph"), (b"hello", "parsing failed"), (None, "no such file")],
)
def test_what_is_no_network_is_named(backend: Backend, tmp_path: Path, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "bad.onnx").write_bytes(content)
    with pytest.raises(IntegrityError, match=f"bad.onnx: .*({reason})"):
        backend.open(tmp_path / "bad.onnx")


def test_a_truncated_network_is_named(backend: Backend, artifact: Path) -> None:
    artifact.write_bytes(artifact.read_bytes()[:-20])
    with pytest.raises(IntegrityError, match=r"add.onnx: onnxruntime .* cannot open it: "):
        backend.open(artifact)


def test_a_network_newer_than_the_runtime_says_so(backend: Backend, artifact: Path) -> None:
    model = add_graph()
    model.ir_version = 99
    artifact.write_bytes(model.SerializeToString())
    with pytest.raises(IntegrityError, match=r"Unsupported model IR version: 99.*expected ONNX of opset"):
        backend.open(artifact)


def test_an_unknown_operator_is_named(backend: Backend, artifact: Path) -> None:
    artifact.write_bytes(add_graph(op="Fuse").SerializeToString())
    with pytest.raises(IntegrityError, match="Fuse"):
        backend.open(artifact)


@pytest.mark.parametrize("threads", [0, -1])
def test_threads_are_counted_from_one(threads: int) -> None:
    with pytest.raises(UsageError, match=f"got {threads} threads; expected 1 or more"):
        OnnxRuntime(threads=threads)


def test_options_reach_onnxruntime(artifact: Path) -> None:
    for spinning in (False, True):
        options = OnnxRuntime(threads=1, spinning=spinning).open(artifact)._session.get_session_options()
        assert options.intra_op_num_threads == 1
        assert options.get_session_config_entry("session.intra_op.allow_spinning") == str(int(spinning))
        assert options.get_session_config_entry("session.force_spinning_stop") == "1"


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (6, 6), (64, onnxrt.MOST_THREADS)])
def test_threads_are_as_many_as_there_are_cores_to_use(
    artifact: Path, monkeypatch: pytest.MonkeyPatch, cores: int, threads: int
) -> None:
    monkeypatch.setattr(onnxrt, "usable_physical_cores", lambda: cores)
    assert OnnxRuntime()._options().intra_op_num_threads == threads


def test_a_missing_onnxruntime_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(EnvironmentFault, match=r'pip install "edge-sr\[cpu\]"'):
        OnnxRuntime()


def test_the_module_imports_without_loading_onnxruntime() -> None:
    code = "import sys, edge_sr.backends.onnxrt; sys.exit('onnxruntime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_failures_are_told_once_and_not_on_stderr(artifact: Path, capfd: pytest.CaptureFixture[str]) -> None:
    session = OnnxRuntime().open(artifact)
    with pytest.raises(EdgeSRError):
        session.run(feeds(rows_of_b=2))
    assert capfd.readouterr().err == ""
