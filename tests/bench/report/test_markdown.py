from __future__ import annotations

from edge_sr.bench.report import markdown
from tests.bench.report import toy


def rows(text: str) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]


def test_a_row_a_variant_with_its_figures() -> None:
    _, _, first, second = rows(markdown(toy.small()))[:4]
    assert first[:3] == ["1 int8 1", "3.56", "2.41"]
    assert second[:3] == ["2 fp32 1", "–", "9.25"]
    assert "34.87" in first and "+2.22" in first


def test_every_row_is_as_long_as_its_head() -> None:
    for block in markdown(toy.whole()).split("\n\n"):
        assert len({len(row) for row in rows(block)}) <= 1


def test_a_title_cannot_break_the_table() -> None:
    report = toy.small(variants=(toy.variant("k", 2.0, title="a | b\n<script>"),))
    lines = [line for line in markdown(report).splitlines() if "script" in line]
    assert lines and all("a \\| b &lt;script&gt;" in line for line in lines)


def test_conditions_warnings_and_the_notice_are_there() -> None:
    text = markdown(toy.whole())
    for told in (
        "NVIDIA Jetson Orin Nano, 6 cores, Orin, 25W",
        "onnxruntime 1.23.2",
        "Not for diagnostic use",
        "0.1.0",
    ):
        assert told in text
    assert text.index("**Warning:** The GPU") < text.index("| 1 int8 1")


def test_simulated_is_said_first() -> None:
    assert markdown(toy.small(simulated=True)).splitlines()[2].startswith("> **SIMULATED")
    assert "SIMULATED" not in markdown(toy.small())


def test_predictions_are_labelled() -> None:
    text = markdown(toy.whole())
    assert text.index("PREDICTION") < text.index("floor, ms")
