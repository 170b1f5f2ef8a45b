"""Tables inside a bundle: put there when INT8 by them holds the gates, and nothing changed when it does not."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="graphs are composed with onnx")
pytest.importorskip("onnxruntime", reason="the graphs run in ONNX Runtime")

from build_engines.chain_graphs import float_graphs
from build_engines.check.accuracy import Verdict
from build_engines.check.comparison import FIDELITIES, TruthRow
from build_engines.ranges import ship as module
from build_engines.ranges.find import ranges_for, shipped_table
from build_engines.ranges.ship import ship_tables
from calibration.images import CalibrationImages
from calibration.table import CalibrationTable, read_table
from edge_sr.artifacts.bundle import Bundle, default_bundle
from edge_sr.artifacts.chain import Chain, chain_of
from edge_sr.errors import AccuracyError
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.radiograph import to_unit
from tests.build_engines.sr_models import pictures
from tests.old_onnxruntime import rounds_in_fp16

SHOWN = pictures(4, tile=16)
TRUTH = to_unit(chest_phantom(256, seed=1000))  # (1, 1, 256, 256), of a phantom that calibrates nothing


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """A copy of the one that ships."""
    return Bundle.open(shutil.copytree(default_bundle(), tmp_path / "bundle"))


@pytest.fixture(autouse=True)
def known_ranges(default_table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Observing and refining take long, and have tests of their own; so have the measures against the truth."""
    table = read_table(default_table)

    def table_of(chain: Chain, *given: object, method: str) -> CalibrationTable:
        origin = replace(table.origin, graph_sha256=chain.sha256, steps=chain.steps, method=method)
        ranges = {name.replace("denoiser0", f"denoiser{n}"): r for n in range(2) for name, r in table.tensors.items()}
        return CalibrationTable(origin, ranges)

    def as_good(reference: object, candidate: object, truth: np.ndarray) -> list[TruthRow]:
        scores = {"psnr_db": 30.0, "ssim": 0.9, "haarpsi_med": 0.8}
        return [TruthRow(fidelity, len(truth), scores, scores | {"psnr_db": 29.96}) for fidelity in FIDELITIES]

    monkeypatch.setattr(module, "observe", lambda *given, **options: {})
    monkeypatch.setattr(module, "table_of", table_of)
    monkeypatch.setattr(module, "refine", lambda table, *given, **options: table)
    monkeypatch.setattr(module, "against_truth", as_good)
    monkeypatch.setattr(module, "STEPS", (1,))


def shipped(bundle: Bundle, truth: np.ndarray | None, told: list[str] | None = None) -> Bundle:
    tell = ([] if told is None else told).append
    return ship_tables(bundle, SHOWN, truth=truth, method="minmax", threads=1, tell=tell)


def test_a_build_takes_them_for_their_number_of_steps(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEPS", (1, 2))
    after = shipped(bundle, None)
    assert [each.file for each in after.manifest.calibration] == ["calibration/ddim-1.json", "calibration/ddim-2.json"]
    assert [each.checked for each in after.manifest.calibration] == [{}, {}]
    assert Bundle.open(bundle.folder) == after  # in its place, and whole
    chain = chain_of(after, steps=2)
    found = ranges_for(chain, float_graphs(chain), never)
    assert found.source == "the bundle's own, from 4 pictures"
    assert shipped_table(chain_of(after, steps=3)) is None
    assert after.manifest.networks == bundle.manifest.networks


def never() -> CalibrationImages:
    raise AssertionError("calibrates")


@rounds_in_fp16
def test_what_was_gated_stands_beside_them(bundle: Bundle) -> None:
    told: list[str] = []
    (listed,) = shipped(bundle, TRUTH, told).manifest.calibration
    assert listed.checked["pictures"] == 1 and len(str(listed.checked["truth_sha256"])) == 64
    for flavour in ("onnxruntime", "tensorrt"):
        rows = listed.checked[flavour]
        assert [row["fidelity"] for row in rows] == [1.0, 0.5, 0.0]  # type: ignore[attr-defined]
        assert all(row["psnr_to_fp32_db"] >= 48 for row in rows)  # type: ignore[attr-defined]
        assert all(row["psnr_db_change"] == -0.04 for row in rows)  # type: ignore[attr-defined]
        assert any(line.startswith(f"int8 for {flavour}") for line in told)


@rounds_in_fp16
def test_a_table_that_does_not_hold_the_gates_changes_nothing(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.read_bytes() for path in bundle.folder.rglob("*") if path.is_file()}
    monkeypatch.setattr(module._Judged, "ends", lambda self: ())
    monkeypatch.setattr(module, "judge", lambda rows, truth=(): Verdict(tuple(rows), tuple(truth), ("too far",)))
    with pytest.raises(AccuracyError, match="ddim, 1 step, int8 for .*: fails the accuracy check: too far"):
        shipped(bundle, TRUTH)
    assert {path: path.read_bytes() for path in bundle.folder.rglob("*") if path.is_file()} == before
    assert [path.name for path in bundle.folder.parent.iterdir()] == ["bundle"]


@rounds_in_fp16
def test_first_and_last_convolutions_are_int8_where_the_gates_hold_without_the_worst(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, judged = module._Judged.verdict, list[tuple[str, ...]]()

    def first_fails(self: object, harmless: tuple[str, ...], tell: object) -> Verdict:
        verdict = plain(self, harmless, tell)  # type: ignore[arg-type]
        judged.append(harmless)
        return Verdict(verdict.rows, verdict.truth, ("too far",)) if len(judged) == 1 else verdict

    monkeypatch.setattr(module._Judged, "verdict", first_fails)
    (listed,) = shipped(bundle, TRUTH).manifest.calibration
    table: CalibrationTable = read_table(bundle.folder / listed.file)
    assert len(judged[0]) >= 2 and set(judged[1]) < set(judged[0]) and len(judged[1]) == len(judged[0]) - 1
    assert table.harmless == judged[1]
