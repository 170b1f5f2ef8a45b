"""What is taken: the fastest form by what was measured, and nothing that is slower or gives other numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="graphs are written with onnx")
pytest.importorskip("onnxruntime", reason="graphs are measured in ONNX Runtime")

from build_engines.tuning import fastest_forms  # noqa: E402
from build_engines.tuning.convolution_forms import AS_IT_IS, FORMS, Form, in_forms  # noqa: E402
from build_engines.tuning.fastest_forms import Choice, fastest, take_fastest  # noqa: E402
from edge_sr.backends.onnxrt import OnnxRuntime  # noqa: E402
from tests.build_engines.tuning.eight_bit import computed, convolutions, pictures  # noqa: E402

MATRIX, STRIPS = Form(shifted=True), Form(shifted=True, strips=4)
BACKEND = OnnxRuntime(1)


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    onnx.save(convolutions(), tmp_path / "engine")
    return tmp_path / "engine"


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the first convolution were fastest in strips, the second as it is, and the whole faster."""
    times = {"conv0": {AS_IT_IS: 100.0, MATRIX: 90.0, STRIPS: 50.0}, "conv1": {AS_IT_IS: 100.0, MATRIX: 99.0}}
    monkeypatch.setattr(fastest_forms, "_measured", lambda *args, **more: times)
    monkeypatch.setattr(fastest_forms, "_in_turn", lambda sessions, feeds, runs: [2.0, 1.5])


def test_the_fastest_form_is_taken_and_gives_the_same(engine: Path, measured: None, tmp_path: Path) -> None:
    expected = computed(convolutions(), pictures(), tmp_path)
    choice = take_fastest(engine, BACKEND)
    assert choice is not None and choice.forms == {"conv0": STRIPS}
    written = onnx.load(engine)
    assert [n.name for n in written.graph.node] == [n.name for n in in_forms(convolutions(), choice.forms).graph.node]
    assert np.array_equal(computed(written, pictures(), tmp_path), expected)
    assert str(choice) == "8-bit convolutions: 1 as a matrix in 4 strips; 2.00 ms before, 1.50 ms after, in turn"


def test_forms_that_make_the_whole_slower_are_not_kept(
    engine: Path, measured: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fastest_forms, "_in_turn", lambda sessions, feeds, runs: [2.0, 2.1])
    before = engine.read_bytes()
    choice = take_fastest(engine, BACKEND)
    assert choice is not None and not choice.forms and engine.read_bytes() == before
    assert "the graph takes 2.00 ms with them and 2.10 with others" in str(choice)


def test_forms_that_compute_something_else_are_not_kept(
    engine: Path, measured: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(model: onnx.ModelProto, forms: dict[str, Form]) -> onnx.ModelProto:
        found = in_forms(model, forms)
        found.graph.node[-1].input[8] = ""  # without its bias
        return found

    monkeypatch.setattr(fastest_forms, "in_forms", wrong)
    before = engine.read_bytes()
    choice = take_fastest(engine, BACKEND)
    assert choice is not None and choice.reason == "the output of others differs" and engine.read_bytes() == before


def test_less_than_the_margin_is_chance() -> None:
    assert fastest({AS_IT_IS: 100.0, MATRIX: 98.0}) == AS_IT_IS
    assert fastest({AS_IT_IS: 100.0, MATRIX: 96.0, STRIPS: 95.0}) == STRIPS


def test_every_form_of_every_convolution_is_measured(engine: Path) -> None:
    choice = take_fastest(engine, BACKEND)
    assert choice is not None
    assert {name: set(taken) for name, taken in choice.taken_us.items()} == {
        "conv0": set(FORMS),
        "conv1": set(FORMS),
    }
    # A node of strips that were left out, or one that was never run, would take no time.
    assert all(each > 5 for taken in choice.taken_us.values() for each in taken.values())


def test_a_graph_that_takes_long_is_left_alone(engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastest_forms, "LONGEST_MS", 0.0)
    choice = take_fastest(engine, BACKEND)
    assert choice is not None and "too long to try others" in str(choice) and not choice.taken_us


def test_without_8_bit_convolutions_there_is_nothing_to_choose(tmp_path: Path) -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 20]> g (float[N] x) => (float[N] y) { y = Relu(x) }'
    )
    onnx.save(model, tmp_path / "engine")
    assert take_fastest(tmp_path / "engine", BACKEND) is None


def test_the_record_names_the_form_of_each(measured: None, engine: Path) -> None:
    choice = take_fastest(engine, BACKEND)
    assert choice is not None
    assert choice.to_json()["convolutions"] == {
        "conv0": {
            "form": "as a matrix in 4 strips",
            "us": {"as it is": 100.0, "as a matrix": 90.0, "as a matrix in 4 strips": 50.0},
        },
        "conv1": {"form": "as it is", "us": {"as it is": 100.0, "as a matrix": 99.0}},
    }
    assert choice.summary()["convolutions"] == {"as a matrix in 4 strips": 1, "as it is": 1}
    assert Choice(reason="no other form is faster").to_json()["kept"] is False
