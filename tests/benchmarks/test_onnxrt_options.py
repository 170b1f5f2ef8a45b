"""The rows are what they are called: options reach ONNX Runtime, and the neighbour is there. No time is asserted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("onnx", reason="engines are built with onnx")
pytest.importorskip("onnxruntime", reason="the options are ONNX Runtime's")
pytest.importorskip("benchmarks", reason="benchmarks are not in the wheel")

from benchmarks import onnxrt_options as bench
from edge_sr.artifacts.bundle import Bundle

SPINNING, STOP = "session.intra_op.allow_spinning", "session.force_spinning_stop"


@pytest.mark.parametrize(
    ("waiting", "entries"), [(bench.ALWAYS, ("1", "0")), (bench.IN_A_RUN, ("1", "1")), (bench.NEVER, ("0", "1"))]
)
def test_each_way_of_waiting_is_what_it_says(tiny: Bundle, waiting: str, entries: tuple[str, str]) -> None:
    with bench.Variant("fp32", 2, waiting).open({"fp32": tiny.path("upscale")}) as session:
        options = session._session.get_session_options()
    assert tuple(map(options.get_session_config_entry, (SPINNING, STOP))) == entries
    assert options.intra_op_num_threads == 2


def test_one_thread_has_one_row(tiny: Bundle) -> None:
    rows = bench.variants({"fp32": tiny.path("upscale")}, cores=2)
    assert [(row.threads, row.waiting) for row in rows] == [(1, "never")] + [(2, each) for each in bench.WAITING]
    assert {row.threads for row in bench.variants({"fp32": Path()}, cores=6)} == {1, 2, 3, 4, 6}


def test_every_row_is_taken_in_every_situation(tiny: Bundle, tmp_path: Path) -> None:
    out = tmp_path / "options.json"
    words = ["--bundle", str(tiny.folder), "--without-int8", "--rounds", "1", "--out", str(out)]
    result = CliRunner().invoke(bench.command, words)
    assert result.exit_code == 0, result.output
    told = json.loads(out.read_text())
    assert all(list(row["p50_ms"]) == list(bench.SITUATIONS) and row["network"] == "fp32" for row in told["rows"])
    assert all(ms > 0 for row in told["rows"] for ms in row["p50_ms"].values())
    assert len(told["output_p50_ms"]["fp32"]) == 3 and told["conditions"]["rounds"] == 1


def test_a_second_session_runs_before_each_timed_run(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[int] = []

    class Watched:
        def __init__(self) -> None:
            self.number = len(opened)
            opened.append(self)

        def run(self, feeds: object) -> None:
            order.append(self.number)

        def __enter__(self) -> Watched:
            return self

        def __exit__(self, *exc: object) -> None:
            """Nothing is open."""

    opened: list[Watched] = []
    monkeypatch.setattr(bench.Variant, "open", lambda row, networks: Watched())
    times = bench._times(bench.Variant("fp32", 2, bench.NEVER), {}, {"x": np.zeros(1)}, True, 4)
    assert len(times) == 4 and order == [1, 0] * (4 + bench.WARMUP)


def test_the_busy_process_ends() -> None:
    with bench._busy_process() as process:
        assert process.poll() is None
    assert process.poll() is not None
