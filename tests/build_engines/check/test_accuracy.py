"""Which rows hold the gates, and what a verdict says of those that do not."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from build_engines.check.accuracy import GATES, Culprit, FidelityRow, Gates, TruthRow, judge
from edge_sr.cli.exit_codes import code_of
from edge_sr.errors import AccuracyError

GOOD = FidelityRow(1.0, 4, 48.0, 47.0, 2, 0.25, finite=True, constant=False)
SCORES = {"psnr_db": 30.0, "ssim": 0.9, "haarpsi_med": 0.8}


def truth(**changes: float) -> TruthRow:
    return TruthRow(0.5, 4, SCORES, {name: value + changes.get(name, 0) for name, value in SCORES.items()})


def test_the_gates_are_those_of_the_documents() -> None:
    assert Gates(48.0, 0.25, 0.10, 0.002, 0.005) == GATES


def test_a_row_at_the_limits_passes() -> None:
    verdict = judge([GOOD, replace(GOOD, fidelity=0.0)], [truth(psnr_db=-0.0999, ssim=0.0019, haarpsi_med=-0.0049)])
    assert verdict.passed and verdict.reasons == () and verdict.psnr_db == 48.0


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (replace(GOOD, psnr_db=47.99), "PSNR against float32 is 47.99 dB at fidelity 1, and has to be 48 dB or more"),
        (replace(GOOD, mean_shift=0.251), "mean shifts by 0.251 grey levels at fidelity 1, and may by 0.25"),
        (replace(GOOD, finite=False, psnr_db=0.0), "NaN or Inf in picture 2 at fidelity 1"),
        (replace(GOOD, constant=True), "a flat picture at fidelity 1"),
    ],
)
def test_a_reason_names_gate_figure_and_limit(row: FidelityRow, reason: str) -> None:
    verdict = judge([GOOD, row])
    assert not verdict.passed
    assert len(verdict.reasons) == 1 and reason in verdict.reasons[0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"psnr_db": -0.11}, "PSNR against the truth changes by -0.110 dB at fidelity 0.5, and may by 0.1 dB"),
        ({"ssim": 0.0021}, "SSIM against the truth changes by +0.0021 at fidelity 0.5, and may by 0.002"),
        ({"haarpsi_med": -0.006}, "HaarPSI_MED against the truth changes by -0.0060"),
    ],
)
def test_gates_against_the_truth(changes: dict[str, float], reason: str) -> None:
    (told,) = judge([GOOD], [truth(**changes)]).reasons
    assert reason in told


def test_other_gates_can_be_held() -> None:
    assert not judge([GOOD], gates=Gates(psnr_db=50)).passed


def test_other_faults_rule_a_candidate_out() -> None:
    verdict = judge([GOOD], faults=["sr: it holds NaN or Inf"])
    assert not verdict.passed and verdict.reasons == ("sr: it holds NaN or Inf",)


def test_a_failed_verdict_is_an_error_with_layers_and_flag() -> None:
    failed = judge([replace(GOOD, psnr_db=40.0)]).blaming([Culprit("decoder/c", 9.5, 49.5, 12.0)], precision="int8")
    error = failed.error("the INT8 candidate")
    assert isinstance(error, AccuracyError) and code_of(error) == 4
    assert "the INT8 candidate: fails the accuracy check: PSNR against float32 is 40.00 dB" in str(error)
    assert "decoder/c: keeping it high wins 9.5 dB" in str(error)
    assert "try: --precision auto" in str(error)


@pytest.mark.parametrize(("precision", "flag"), [("auto", "--precision fp16"), ("fp16", "--precision fp32")])
def test_the_flag_that_helps_depends_on_the_precision(precision: str, flag: str) -> None:
    assert judge([]).blaming([], precision=precision).hint == flag


def test_a_verdict_becomes_json() -> None:
    verdict = judge([GOOD], [truth(psnr_db=-1)]).blaming([Culprit("c", 1.0, 48.0)], precision="int8")
    record = json.loads(json.dumps(verdict.to_json(), allow_nan=False))
    assert record["passed"] is False
    assert record["rows"][0]["psnr_db"] == 48.0 and record["truth"][0]["candidate"]["psnr_db"] == 29.0
    assert record["culprits"][0]["convolution"] == "c" and len(record["reasons"]) == 1
