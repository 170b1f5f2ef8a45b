"""Which calibration table a build takes, and which it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="graphs are composed with onnx")

from build_engines.chain_graphs import float_graphs
from build_engines.ranges import find as module
from build_engines.ranges.find import FoundRanges, ranges_for, shipped_table
from calibration.collect import FIDELITIES
from calibration.images import CalibrationImages
from calibration.table import CalibrationTable, Origin
from edge_sr.artifacts.bundle import Bundle, extend_bundle
from edge_sr.artifacts.chain import Chain, chain_of
from edge_sr.artifacts.manifest import CalibrationFile
from edge_sr.errors import IntegrityError
from tests import tiny_bundle
from tests.build_engines.sr_models import pictures


def table_for(chain: Chain, *, images: int = 5) -> CalibrationTable:
    """The tiny bundle has no convolution, so its table has no tensor."""
    origin = Origin(chain.sha256, "tiny 0.0.1", chain.sampler, chain.steps, "b" * 64, images, FIDELITIES, "auto")
    return CalibrationTable(origin, {})


@pytest.fixture
def shipping(tmp_path: Path) -> Bundle:
    """The tiny bundle with a table for two steps in it."""
    tiny_bundle.write_networks(tmp_path / "staging")
    plain = tiny_bundle.publish(tmp_path / "staging", tmp_path / "shipping")
    file = "calibration/ddim-2.json"
    manifest = replace(plain.manifest, calibration=(CalibrationFile("ddim", 2, file),))
    return extend_bundle(plain, {file: table_for(chain_of(plain, steps=2)).to_bytes()}, manifest)


def never() -> CalibrationImages:
    raise AssertionError("calibrates")


def found(chain: Chain, **options: object) -> FoundRanges:
    return ranges_for(chain, float_graphs(chain), never, **options)  # type: ignore[arg-type]


def test_the_bundles_own_is_taken_for_its_sampler_and_steps(shipping: Bundle) -> None:
    assert found(chain_of(shipping, steps=2)).source == "the bundle's own, from 5 pictures"
    for other in ({"steps": 1}, {"steps": 2, "sampler": "dpmsolver++"}):
        assert shipped_table(chain_of(shipping, **other)) is None  # type: ignore[arg-type]


def test_a_file_that_is_named_goes_before_it(shipping: Bundle, tmp_path: Path) -> None:
    chain = chain_of(shipping, steps=2)
    table_for(chain, images=9).write(tmp_path / "mine.json")
    named = found(chain, table=tmp_path / "mine.json", anew=True)
    assert named.source == f"{tmp_path / 'mine.json'}, from 9 pictures" and named.table.origin.images == 9


@pytest.mark.parametrize(("steps", "anew"), [(1, False), (2, True)])
def test_else_one_is_made(shipping: Bundle, monkeypatch: pytest.MonkeyPatch, steps: int, anew: bool) -> None:
    chain, asked = chain_of(shipping, steps=steps), list[object]()

    def calibrated(*given: object, method: str, threads: int) -> CalibrationTable:
        asked.extend([method, threads])
        return table_for(chain)

    monkeypatch.setattr(module, "calibrated", calibrated)
    made = ranges_for(chain, {}, lambda: pictures(3, tile=16), anew=anew, method="mse", threads=2)
    assert made.source == "made now, from 3 pictures" and asked == ["mse", 2]


@pytest.mark.parametrize(
    ("steps", "sampler", "told"),
    [(3, "ddim", "its steps is 2; expected 3"), (2, "dpmsolver++", "its sampler is ddim; expected dpmsolver")],
)
def test_one_of_another_chain_is_refused_by_what_differs(
    shipping: Bundle, tmp_path: Path, steps: int, sampler: str, told: str
) -> None:
    table_for(chain_of(shipping, steps=2)).write(tmp_path / "mine.json")
    with pytest.raises(IntegrityError, match=rf"mine\.json: is stale or foreign: {told}"):
        found(chain_of(shipping, sampler=sampler, steps=steps), table=tmp_path / "mine.json")


def test_one_of_other_networks_is_refused(shipping: Bundle) -> None:
    networks = dict(shipping.manifest.networks)
    networks["decoder"] = replace(networks["decoder"], sha256="f" * 64)
    retrained = replace(shipping, manifest=replace(shipping.manifest, networks=networks))
    chain = chain_of(retrained, steps=2)
    with pytest.raises(IntegrityError, match="its graph_sha256 is"):
        ranges_for(chain, {}, never)


def test_its_hash_is_of_what_it_says_and_not_of_how_it_is_written(shipping: Bundle, tmp_path: Path) -> None:
    chain = chain_of(shipping, steps=2)
    own = found(chain)
    record = json.loads((shipping.folder / "calibration/ddim-2.json").read_text())
    (tmp_path / "same.json").write_text(json.dumps(record, indent=7))
    (tmp_path / "other.json").write_text(json.dumps(record | {"images": 6}))
    assert found(chain, table=tmp_path / "same.json").sha256 == own.sha256
    assert found(chain, table=tmp_path / "other.json").sha256 != own.sha256
