"""How the candidate of each precision is found: what passes is timed and kept, what fails is told with a way out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="graphs are composed with onnx")
pytest.importorskip("onnxruntime", reason="the graphs run in ONNX Runtime")

from build_engines import makers  # noqa: E402
from build_engines.candidate import Candidate, Workbench, workbench  # noqa: E402
from build_engines.chain_graphs import Graphs, float_graphs  # noqa: E402
from build_engines.makers import MAKERS, Wish, make_auto, make_fp16, make_fp32  # noqa: E402
from build_engines.targets.onnxrt import OnnxRuntimeTarget  # noqa: E402
from edge_sr.artifacts.bundle import Bundle  # noqa: E402
from edge_sr.artifacts.chain import Chain, chain_of  # noqa: E402
from edge_sr.artifacts.engine_key import PRECISIONS  # noqa: E402
from edge_sr.backends.onnxrt import OnnxRuntime  # noqa: E402
from edge_sr.errors import AccuracyError, UsageError  # noqa: E402
from tests.build_engines.ranges.test_find import table_for  # noqa: E402
from tests.build_engines.sr_models import pictures  # noqa: E402


@pytest.fixture
def chain(tiny: Bundle) -> Chain:
    return chain_of(tiny)


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def bench(chain: Chain, told: list[str], tmp_path: Path, quick: None) -> Iterator[Workbench]:
    graphs = float_graphs(chain)
    target = OnnxRuntimeTarget(OnnxRuntime(1, spinning=False))
    with workbench(chain, target, graphs, pictures(1), folder=tmp_path, tell=told.append, threads=1) as bench:
        yield bench


def spoilt(graphs: Graphs) -> Graphs:
    """The graph with its picture a tenth darker."""
    model = onnx.ModelProto()
    model.CopyFrom(graphs["upscale"])
    (last,) = (node for node in model.graph.node if "sr" in node.output)
    last.output[0] = "right"
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32([0.9]), "dark"))
    model.graph.node.append(onnx.helper.make_node("Mul", ["right", "dark"], ["sr"]))
    return {"upscale": model}


def times(monkeypatch: pytest.MonkeyPatch, **p50_ms: float) -> None:
    def taken(self: Workbench, candidates: Mapping[str, Candidate]) -> dict[str, float]:
        return {"reference": 6.0, **{name: p50_ms[name] for name in candidates}}

    monkeypatch.setattr(Workbench, "times", taken)


@pytest.fixture
def wish(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> Wish:
    """With a table; the tiny bundle has no convolution, so there is none to keep high."""
    monkeypatch.setattr(makers, "_least_high", lambda *given: ((), {"sensitivity.json": b"{}"}))
    return Wish(table_for(chain), threads=1)


def test_every_precision_has_its_maker() -> None:
    assert tuple(MAKERS) == PRECISIONS


def test_what_passes_is_timed_beside_float32(bench: Workbench) -> None:
    made = make_fp32(bench, Wish())
    assert made.candidate.precision == "fp32" and made.candidate.verdict.passed
    assert set(made.p50_ms) == {"reference", "fp32"} and min(made.p50_ms.values()) > 0
    assert all(path.is_file() for path in made.candidate.engines.values())


def test_what_fails_is_told_with_the_flag_that_would_help(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(makers, "in_fp16", spoilt)
    with pytest.raises(AccuracyError) as caught:
        make_fp16(bench, Wish())
    assert "tiny, ddim, 1 step, fp16 for onnxruntime: fails the accuracy check: PSNR" in str(caught.value)
    assert caught.value.hint == "--precision fp32"


@pytest.mark.parametrize("fastest", ["fp32", "fp16", "int8"])
def test_auto_keeps_the_fastest(bench: Workbench, wish: Wish, monkeypatch: pytest.MonkeyPatch, fastest: str) -> None:
    times(monkeypatch, **{**dict.fromkeys(("fp32", "fp16", "int8"), 5.0), fastest: 4.0})
    made = make_auto(bench, wish)
    assert made.candidate.precision == fastest and set(made.p50_ms) == {"reference", "fp32", "fp16", "int8"}
    assert made.files == {"sensitivity.json": b"{}"}


def test_auto_keeps_none_that_fails_however_fast(
    bench: Workbench, wish: Wish, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(makers, "in_fp16", spoilt)
    times(monkeypatch, fp32=5.0, int8=4.0)
    made = make_auto(bench, wish)
    assert made.candidate.precision == "int8" and "fp16" not in made.p50_ms
    assert told[-1].startswith("fp16 is out: PSNR against float32 is ")


def test_auto_does_without_fp16_where_that_cannot_hold_a_weight(
    bench: Workbench, wish: Wish, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(graphs: Graphs) -> Graphs:
        raise UsageError("a value of 70000", where="decoder.weight", expected="at most 65504")

    monkeypatch.setattr(makers, "in_fp16", too_large)
    times(monkeypatch, fp32=5.0, int8=6.0)
    assert make_auto(bench, wish).candidate.precision == "fp32"
    assert told[-1] == "fp16 is out: decoder.weight: a value of 70000"


def test_where_nothing_passes_auto_says_so(bench: Workbench, wish: Wish, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Workbench.candidate
    monkeypatch.setattr(makers, "in_fp16", lambda graphs: graphs)
    monkeypatch.setattr(Workbench, "candidate", lambda self, name, graphs, **high: plain(self, name, spoilt(graphs)))
    with pytest.raises(AccuracyError, match="every precision for onnxruntime: fails the accuracy check"):
        make_auto(bench, wish)
