"""Polygraphy's comparison, on arrays whose error is known and on the graphs of a chain."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="graphs are written with onnx")
pytest.importorskip("onnxruntime", reason="the graphs run in ONNX Runtime")
pytest.importorskip("polygraphy", reason="it compares")

from build_engines.check.polygraphy import (  # noqa: E402
    Runner,
    TensorError,
    compare_outputs,
    compare_recorded,
    faults,
    onnx_runner,
    record,
    table_text,
    write_errors,
)
from build_engines.check.stages import put_out, stages  # noqa: E402
from build_engines.quantize import insert_qdq, placement  # noqa: E402
from edge_sr.backends.onnxrt import OnnxRuntime  # noqa: E402
from edge_sr.errors import EdgeSRError, IntegrityError, UsageError  # noqa: E402
from tests.build_engines.quantisable import composed, exact_ranges, feeds  # noqa: E402

X = np.arange(1, 101, dtype=np.float32).reshape(1, 100)


def runner(folder: Path, name: str, body: str, outputs: str = "float[N,100] y") -> Runner:
    """Of a graph of x: float[N,100]."""
    model = onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["": 20]> g (float[N,100] x) => ({outputs}) {body}'
    )
    onnx.save(model, folder / f"{name}.onnx")
    return onnx_runner(folder / f"{name}.onnx", name, OnnxRuntime(1, spinning=False))


IDENTITY = "{ y = Identity(x) }"
SHIFTED = "{ one = Constant<value = float {1.0}>() y = Add(x, one) }"


def compared(folder: Path, reference: str, candidate: str, **outputs: str) -> TensorError:
    runners = runner(folder, "reference", reference), runner(folder, "candidate", candidate, **outputs)
    (row,) = compare_outputs(*runners, [{"x": X}, {"x": 2 * X}])
    return row


def test_figures_are_over_all_feeds(tmp_path: Path) -> None:
    row = compared(tmp_path, IDENTITY, SHIFTED)
    power = (np.mean(X.astype(float) ** 2) + np.mean((2 * X.astype(float)) ** 2)) / 2
    assert row.snr_db == pytest.approx(10 * np.log10(power), abs=1e-3)
    assert row.psnr_db == pytest.approx(20 * np.log10(199), abs=1e-3)  # from 1 to 200
    assert row.largest == row.quantile_99 == 1.0 and row.fault == ""


def test_the_quantile_leaves_out_the_largest(tmp_path: Path) -> None:
    spike = "{ limit = Constant<value = float {99.5}>() big = Greater(x, limit) up = Cast<to=1>(big) y = Add(x, up) }"
    runners = runner(tmp_path, "reference", IDENTITY), runner(tmp_path, "candidate", spike)
    (row,) = compare_outputs(*runners, [{"x": X}])
    assert row.largest == 1.0 and row.quantile_99 < 0.1


@pytest.mark.parametrize(
    ("body", "outputs", "fault"),
    [
        ("{ zero = Sub(x, x) y = Div(zero, zero) }", "float[N,100] y", "it holds NaN or Inf"),
        ("{ y = Concat<axis=1>(x, x) }", "float[N,200] y", r"its shape is (1, 200) and should be (1, 100)"),
        ("{ z = Identity(x) }", "float[N,100] z", "the candidate has no such output"),
    ],
)
def test_faults_are_told(tmp_path: Path, body: str, outputs: str, fault: str) -> None:
    row = compared(tmp_path, IDENTITY, body, outputs=outputs)
    assert row.fault == fault and row.snr_db == -150
    assert fault in table_text([row]) and faults([row]) == [f"y: {fault}"]


def test_results_of_two_machines_can_be_compared(tmp_path: Path) -> None:
    given: list[Mapping[str, np.ndarray]] = [{"x": X}, {"x": 2 * X}]
    for name, body in (("reference", IDENTITY), ("candidate", SHIFTED)):
        record(runner(tmp_path, name, body), given, tmp_path / f"{name}.json")
    (row,) = compare_recorded(tmp_path / "reference.json", tmp_path / "candidate.json")
    assert row == compared(tmp_path, IDENTITY, SHIFTED)
    (tmp_path / "candidate.json").write_text("{}")
    with pytest.raises(IntegrityError, match=r"candidate.json: holds no outputs"):
        compare_recorded(tmp_path / "reference.json", tmp_path / "candidate.json")


def test_stage_by_stage(tmp_path: Path) -> None:
    model = composed(2)
    places = placement(model, "onnxruntime")
    quantised = insert_qdq(model, exact_ranges(places), places)
    runners = []
    for name, graph in (("float32", model), ("int8", quantised)):
        onnx.save(put_out(graph, stages(model)), tmp_path / f"{name}.onnx")
        runners.append(onnx_runner(tmp_path / f"{name}.onnx", name, OnnxRuntime(1, spinning=False)))
    rows = {row.tensor: row for row in compare_outputs(*runners, [feeds()])}
    assert list(rows) == ["sr", *stages(model)]
    assert all(0 < row.snr_db < 100 for row in rows.values())
    write_errors(tmp_path / "errors.json", {"upscale": rows.values()})
    assert json.loads((tmp_path / "errors.json").read_text())["upscale"][1]["tensor"] == "encoder/cond"


def test_what_polygraphy_refuses_is_an_error_of_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runners = runner(tmp_path, "reference", IDENTITY), runner(tmp_path, "candidate", IDENTITY)
    with pytest.raises(EdgeSRError, match="Polygraphy cannot compare"):
        compare_outputs(*runners, [{"x": X[:, :50]}])
    with pytest.raises(UsageError, match="nothing to compare on"):
        compare_outputs(*runners, [])
    assert capsys.readouterr().out == ""


def test_tensorrt_is_not_looked_for(tmp_path: Path) -> None:
    onnx.save(
        onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 20]> g (float[2] x) => (float[2] y) {IDENTITY}'),
        tmp_path / "g.onnx",
    )
    script = f"""
import sys
class Trap:
    def find_spec(self, name, *rest):
        if name.partition(".")[0] in ("tensorrt", "tensorrt_rtx", "torch"):
            sys.exit(f"{{name}} was looked for")
sys.meta_path.insert(0, Trap())
import numpy as np
from pathlib import Path
from build_engines.check.polygraphy import compare_outputs, onnx_runner
from edge_sr.backends.onnxrt import OnnxRuntime
runners = [onnx_runner(Path({str(tmp_path / "g.onnx")!r}), name, OnnxRuntime(1)) for name in "ab"]
print(compare_outputs(*runners, [{{"x": np.ones(2, np.float32)}}])[0].snr_db)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "150.0\n", "")
