"""Which layers hurt: in models whose layers are known to, and the bundle that ships with a table broken on purpose."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import pytest

pytest.importorskip("onnx", reason="graphs are written with onnx")
pytest.importorskip("onnxruntime", reason="the graphs run in ONNX Runtime")

from build_engines.check.accuracy import Gates, end_to_end, judge
from build_engines.sensitivity.macs import macs
from build_engines.sensitivity.report import table_text, to_json
from build_engines.sensitivity.search import Quantised, Trial, cheapest, culprits, ranked, sensitivities
from tests.build_engines.quantised_default import QuantisedDefault
from tests.build_engines.sr_models import Enlarger, opened, pictures

ERRORS = {"a": 1e-3, "b": 1e-2, "c": 2e-3, "d": 1e-4}  # what a layer in INT8 adds, as a mean square's root
MACS = {"a": 1, "b": 1000, "c": 8, "d": 1}
SHOWN = pictures(2, tile=16)


def layered(errors: Mapping[str, float] = ERRORS, runs: list[frozenset[str]] | None = None) -> Quantised:
    """Layers whose errors are patterns that have nothing in common, so that their squares add up."""

    @contextmanager
    def quantised(high: frozenset[str]) -> Iterator[Enlarger]:
        if runs is not None:
            runs.append(high)
        low = [name for name in errors if name not in high]
        yield Enlarger(lambda sr: sr + sum((pattern(name) * errors[name] for name in low), np.zeros_like(sr)))

    return quantised


def pattern(name: str) -> np.ndarray:
    """(64, 64) of -1 and 1: stripes of another width for each layer."""
    width = 2 ** (ord(name) - ord("a"))
    return np.where(np.arange(64) // width % 2, 1, -1)[None].repeat(64, 0).astype(np.float32)


def test_each_is_quantised_alone() -> None:
    told: list[tuple[int, int]] = []
    runs: list[frozenset[str]] = []
    found = sensitivities(list(ERRORS), layered(runs=runs), Enlarger(), SHOWN, tell=lambda *done: told.append(done))
    for each, (name, error) in zip(found, ERRORS.items(), strict=True):
        assert each.convolution == name
        assert each.psnr_db == pytest.approx(-20 * math.log10(error), abs=0.01)
    assert runs == [frozenset(ERRORS) - {name} for name in ERRORS]
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_the_ranking_is_by_error_for_each_multiply_accumulate() -> None:
    found = sensitivities(list(ERRORS), layered(), Enlarger(), SHOWN)
    assert ranked(found, MACS) == ["a", "c", "b", "d"]
    assert ranked(found, dict.fromkeys(ERRORS, 1)) == ["b", "c", "a", "d"]


@pytest.mark.parametrize(("psnr_db", "high"), [(39, 0), (45, 1), (55, 2), (70, 3), (90, 4)])
def test_as_few_as_hold_the_gates_are_kept_high(psnr_db: float, high: int) -> None:
    found = sensitivities(list(ERRORS), layered(), Enlarger(), SHOWN)
    equal = dict.fromkeys(ERRORS, 1)
    chosen = cheapest(found, equal, layered(), Enlarger(), SHOWN, Gates(psnr_db=psnr_db))
    assert chosen.high == ("b", "c", "a", "d")[:high]
    assert chosen.verdict.passed and chosen.verdict.psnr_db >= psnr_db
    assert chosen.tried[0].high == 0 and Trial(high, chosen.verdict.psnr_db, True) in chosen.tried
    assert len(chosen.tried) <= 4


def test_where_all_high_does_not_do_the_verdict_says_so() -> None:
    found = sensitivities(list(ERRORS), layered(), Enlarger(), SHOWN)
    chosen = cheapest(found, MACS, layered(), Enlarger(), SHOWN, Gates(psnr_db=200))
    assert len(chosen.high) == 4 and not chosen.verdict.passed


def test_the_culprit_is_what_wins_most_alone() -> None:
    found = culprits(list(ERRORS), layered(), Enlarger(), SHOWN)
    assert [each.convolution for each in found] == ["b"]  # the others win next to nothing
    rest = math.sqrt(sum(error**2 for name, error in ERRORS.items() if name != "b"))
    assert found[0].psnr_db == pytest.approx(-20 * math.log10(rest), abs=0.01)
    assert found[0].won_db == pytest.approx(13.2, abs=0.1)


def test_only_the_worst_by_local_error_are_tried() -> None:
    runs: list[frozenset[str]] = []
    names = list("abcdefghi")
    local = {name: 40.0 - 5 * (name == "h") - number / 10 for number, name in enumerate(names)}
    errors = dict.fromkeys(names, 1e-4) | {"h": 1e-2}
    (found,) = culprits(names, layered(errors, runs), Enlarger(), SHOWN, local_db=local)
    assert (found.convolution, found.local_db) == ("h", local["h"])
    assert runs == [frozenset(), *(frozenset(name) for name in "higfed")]


def test_table_and_record() -> None:
    found = sensitivities(list(ERRORS), layered(), Enlarger(), SHOWN)
    chosen = cheapest(found, MACS, layered(), Enlarger(), SHOWN, Gates(psnr_db=45))
    lines = table_text(found, MACS, high=chosen.high).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["b", "c", "a", "d"]
    assert lines[1].split()[1:] == ["40.00", "0.0", "high"]
    record = json.loads(json.dumps(to_json(found, MACS, chosen), allow_nan=False))
    assert record["high"] == list(chosen.high) and record["passed"] is True
    assert record["convolutions"][1] == {"convolution": "b", "psnr_db": 40.0, "macs": 1000, "high": True}


# The bundle that ships.


@pytest.fixture(scope="module", params=["onnxruntime", "tensorrt"])
def default(request: pytest.FixtureRequest) -> QuantisedDefault:
    return QuantisedDefault.calibrated(request.param)


HELD_OUT = pictures(2, first=8)


@pytest.mark.parametrize(
    ("tensor", "factor", "named"),
    [
        ("decoder/relu_5", 8, "decoder/conv2d_6"),
        ("decoder/relu_3", 1 / 8, "decoder/conv2d_4"),
        ("denoiser0/relu_1", 1 / 8, "denoiser0/conv2d_1"),
    ],
)
def test_a_scale_that_is_wrong_is_caught_and_its_layer_named(
    default: QuantisedDefault, tensor: str, factor: float, named: str
) -> None:
    ranges = default.broken(tensor, factor)
    with opened(default.model) as reference:
        with default.quantised(ranges)(frozenset()) as candidate:
            verdict = judge(end_to_end(reference, candidate, HELD_OUT))
        assert not verdict.passed
        local_db = default.local_errors(HELD_OUT, ranges)
        found = culprits(
            default.convolutions,
            default.quantised(ranges),
            reference,
            HELD_OUT,
            local_db=local_db,
            sharing=default.sharing(),
        )
    assert found[0].convolution == named and found[0].won_db > 3
    assert f"{named}: keeping it" in str(verdict.blaming(found, precision="int8").error("int8"))


def test_the_table_as_it_is_holds_the_gates(default: QuantisedDefault) -> None:
    with opened(default.model) as reference, default.quantised()(frozenset()) as candidate:
        assert judge(end_to_end(reference, candidate, HELD_OUT)).passed


def test_auto_keeps_a_broken_layer_high(default: QuantisedDefault) -> None:
    few = ("decoder/conv2d_6", "encoder/conv2d_1", "denoiser0/conv2d_1")
    ranges = default.broken("decoder/relu_5", 8)

    def quantised(high: frozenset[str]) -> object:  # of three layers, so that it takes no time
        return default.quantised(ranges)(high | (set(default.convolutions) - set(few)))

    with opened(default.model) as reference:
        found = sensitivities(few, quantised, reference, HELD_OUT, (1.0,))  # type: ignore[arg-type]
        chosen = cheapest(
            found,
            macs(default.model),
            quantised,  # type: ignore[arg-type]
            reference,
            HELD_OUT,
            Gates(psnr_db=60),
            fidelities=(1.0,),
        )
    assert chosen.high == ("decoder/conv2d_6",) and chosen.verdict.passed
