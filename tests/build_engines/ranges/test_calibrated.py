"""The table of a chain: what was observed, by which method, and with ranges found by their effect."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="graphs are composed with onnx")
pytest.importorskip("onnxruntime", reason="the graphs run in ONNX Runtime")

from build_engines.chain_graphs import float_graphs, observed_tensors
from build_engines.precision.quantiser import Quantiser
from build_engines.ranges import calibrated as module
from build_engines.ranges.calibrated import observe, refine, table_of
from calibration.choose import REFINED, Observed
from calibration.collect import FIDELITIES
from calibration.observers import Range
from calibration.table import read_table
from edge_sr.artifacts.chain import Chain
from tests.build_engines.sr_models import pictures

SHOWN = pictures(2)


@pytest.fixture(scope="module")
def observed(default_chain: Chain) -> dict[str, Observed]:
    return observe(default_chain, float_graphs(default_chain), SHOWN, threads=1)


def test_every_activation_is_seen_at_every_fidelity(default_chain: Chain, observed: dict[str, Observed]) -> None:
    assert tuple(observed) == observed_tensors(float_graphs(default_chain)["upscale"])
    assert observed["decoder/relu_3"].whole.count % (len(SHOWN.lr) * len(FIDELITIES)) == 0
    assert all(half.count for half in observed["decoder/relu_3"].halves)


def test_the_table_says_what_it_is_of(default_chain: Chain, observed: dict[str, Observed]) -> None:
    table = table_of(default_chain, SHOWN, observed, method="minmax")
    origin = table.origin
    assert (origin.graph_sha256, origin.sampler, origin.steps) == (default_chain.sha256, "ddim", 1)
    assert (origin.images, origin.images_sha256, origin.method) == (2, SHOWN.sha256, "minmax")
    assert {each.asymmetric.method for each in table.tensors.values()} == {"minmax"}
    least = observed["decoder/cat"].whole.minimum
    assert table.tensors["decoder/cat"].asymmetric.low == pytest.approx(least, rel=1e-6)


def test_refined_ranges_replace_those_of_their_kind_of_grid(
    default_chain: Chain, default_table: Path, observed: dict[str, Observed], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, told = read_table(default_table), list[str]()

    def found(quantiser: Quantiser, *given: object, tell: object) -> dict[str, Range]:
        told.append(quantiser.flavour)
        return {"decoder/relu": (0.0, 2.5) if quantiser.flavour == "onnxruntime" else (-3.5, 3.5)}

    monkeypatch.setattr(module, "refined_ranges", found)
    graphs = float_graphs(default_chain)
    after = refine(table, default_chain, graphs, SHOWN, observed, threads=1, tell=told.append)
    assert sorted(told) == ["onnxruntime", "tensorrt"]
    changed = after.tensors["decoder/relu"]
    assert (changed.asymmetric.low, changed.asymmetric.high, changed.asymmetric.method) == (0.0, 2.5, REFINED)
    assert (changed.symmetric.low, changed.symmetric.high, changed.symmetric.method) == (-3.5, 3.5, REFINED)
    assert changed.asymmetric.error > 0
    assert {**after.tensors, "decoder/relu": None} == {**table.tensors, "decoder/relu": None}


def test_what_does_not_fit_into_memory_is_seen_in_further_passes(
    default_chain: Chain, observed: dict[str, Observed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "OBSERVED_BYTES", 6 << 20)
    again = observe(default_chain, float_graphs(default_chain), SHOWN, threads=1)
    assert tuple(again) == tuple(observed)
    for name, seen in observed.items():  # the last bit of a float depends on what is fused
        assert again[name].whole.count == seen.whole.count, name
        assert again[name].whole.amax == pytest.approx(seen.whole.amax, rel=1e-5), name


def test_a_pass_holds_no_more_than_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OBSERVED_BYTES", 10)
    sizes = {"a": 4, "b": 6, "c": 1, "larger": 20, "d": 2}
    assert list(module._passes(sizes)) == [["a", "b"], ["c"], ["larger"], ["d"]]
