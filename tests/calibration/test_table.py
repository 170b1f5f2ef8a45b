"""The table: written and read back, and refused where it is stale, foreign or no table."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibration.choose import REFINED, Choice, Observed, choose
from calibration.table import CalibrationTable, Origin, TensorRanges, read_table, rounded
from edge_sr.errors import IntegrityError, UsageError
from tests.calibration.test_observers import GRIDS

ORIGIN = Origin(
    graph_sha256="a" * 64,
    model="tiny 0.0.1",
    sampler="ddim",
    steps=2,
    images_sha256="b" * 64,
    images=5,
    fidelities=(1.0, 0.5, 0.0),
    method="auto",
)


def ranges_of(values: np.ndarray) -> TensorRanges:
    seen = Observed.of("x")
    for half, part in zip(seen.halves, (values[::2], values[1::2]), strict=True):
        half.observe(part.astype(np.float32))
    choices = {kind: choose(seen, grid) for kind, grid in GRIDS.items()}
    return TensorRanges.of(seen.whole, **choices)


@pytest.fixture(scope="module")
def table() -> CalibrationTable:
    laplace = np.random.default_rng(0).laplace(size=4000)
    tensors = {"encoder/relu": np.maximum(laplace, 0), "denoiser0/cat": laplace - 1, "denoiser1/cat": 3 * laplace}
    return CalibrationTable(ORIGIN, {name: ranges_of(values) for name, values in tensors.items()})


@pytest.fixture
def written(table: CalibrationTable, tmp_path: Path) -> Path:
    table.write(tmp_path / "table.json")
    return tmp_path / "table.json"


def test_round_trip(table: CalibrationTable, written: Path) -> None:
    read = read_table(written)
    assert read == table
    assert list(read.tensors) == list(table.tensors)
    again = written.with_name("again.json")
    read.write(again)
    assert again.read_bytes() == written.read_bytes()


def test_ranges_of_either_grid(table: CalibrationTable) -> None:
    asymmetric, symmetric = table.ranges(symmetric=False), table.ranges(symmetric=True)
    assert asymmetric["encoder/relu"][0] == 0
    for name, (low, high) in symmetric.items():
        assert low == -high
        assert -table.tensors[name].symmetric.low == high


def test_other_ranges_for_some_tensors_of_one_kind_of_grid(table: CalibrationTable, tmp_path: Path) -> None:
    changed = table.with_choices("symmetric", {"denoiser0/cat": Choice(REFINED, -2.5, 2.5, 1 / 3)})
    before, after = table.tensors["denoiser0/cat"], changed.tensors["denoiser0/cat"]
    assert after == replace(before, symmetric=Choice(REFINED, -2.5, 2.5, 0.3333))
    assert list(changed.tensors) == list(table.tensors)
    other = table.with_choices("asymmetric", {"denoiser1/cat": Choice(REFINED, -1.0, 2.0, 0.5)})
    assert other.ranges(symmetric=False)["denoiser1/cat"] == (-1.0, 2.0)
    assert other.ranges(symmetric=True) == table.ranges(symmetric=True)
    changed.write(tmp_path / "changed.json")
    assert read_table(tmp_path / "changed.json") == changed


def test_the_file_is_its_bytes(table: CalibrationTable, written: Path) -> None:
    assert written.read_bytes() == table.to_bytes()


def test_what_was_found_harmless_is_read_back(table: CalibrationTable, tmp_path: Path) -> None:
    bearing = replace(table, harmless=("encoder/conv2d", "decoder/conv2d_9"))
    bearing.write(tmp_path / "bearing.json")
    assert read_table(tmp_path / "bearing.json") == bearing


def test_numbers_are_float32_in_few_digits() -> None:
    for value in (0.1, -4.3871, 1 / 3, 1e-30, 0.0, -0.0, 3.4e38):
        assert np.float32(rounded(value)) == np.float32(value)
    assert str(rounded(np.float32(0.1))) == "0.1"
    assert str(rounded(-0.0)) == "0.0"


def test_quantiles_rise(table: CalibrationTable) -> None:
    for each in table.tensors.values():
        assert each.minimum <= each.quantiles[0] and each.quantiles[-1] <= each.maximum
        assert list(each.quantiles) == sorted(each.quantiles)
    assert table.tensors["encoder/relu"].zeros == pytest.approx(0.5, abs=0.03)


def test_a_fitting_table_passes(table: CalibrationTable) -> None:
    table.check("t.json", tensors=["encoder/relu"], graph_sha256="a" * 64, steps=2, fidelities=(1.0, 0.5, 0.0))


@pytest.mark.parametrize(
    ("part", "value", "told"),
    [
        ("graph_sha256", "c" * 64, "its graph_sha256 is aaaaaaaaaaaa...; expected cccccccccccc..."),
        ("images_sha256", "c" * 64, "its images_sha256 is bbbbbbbbbbbb...; expected cccccccccccc..."),
        ("sampler", "dpmsolver++", "its sampler is ddim; expected dpmsolver++"),
        ("steps", 4, "its steps is 2; expected 4"),
        ("fidelities", (1.0,), "its fidelities is 1, 0.5, 0; expected 1"),
        ("method", "mse", "its method is auto; expected mse"),
    ],
)
def test_a_stale_or_foreign_table_is_refused_by_the_part_that_differs(
    table: CalibrationTable, part: str, value: object, told: str
) -> None:
    with pytest.raises(IntegrityError) as caught:
        table.check("t.json", **{part: value})
    assert str(caught.value) == f"t.json: is stale or foreign: {told}\n  try: edge-sr calibrate"


def test_a_tensor_without_a_range_is_named(table: CalibrationTable) -> None:
    with pytest.raises(IntegrityError, match="a tensor has no range; expected denoiser2/cat"):
        table.check("t.json", tensors=["denoiser0/cat", "denoiser2/cat"])


def test_an_existing_table_is_not_replaced_unasked(table: CalibrationTable, written: Path) -> None:
    with pytest.raises(UsageError, match="the target exists already"):
        table.write(written)
    replace_steps = CalibrationTable(replace(ORIGIN, steps=4), table.tensors)
    replace_steps.write(written, overwrite=True)
    assert read_table(written).origin.steps == 4


def spoiled(written: Path, spoil: Callable[[dict], object]) -> Path:
    record = json.loads(written.read_text())
    spoil(record)
    written.write_text(json.dumps(record))
    return written


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda r: r.update(schema_version=2), "schema_version: got 2; expected 1, the only one"),
        (lambda r: r.pop("schema_version"), "schema_version: field is missing"),
        (lambda r: r.pop("graph_sha256"), "graph_sha256: field is missing"),
        (lambda r: r.update(graph_sha256="A" * 64), "graph_sha256: got"),
        (lambda r: r.update(comment="mine"), "comment: unknown field"),
        (lambda r: r.update(steps=True), "steps: got True"),
        (lambda r: r.update(method="median"), "method: got 'median'"),
        (lambda r: r.update(fidelities=[]), r"fidelities: got \[\]"),
        (lambda r: r.update(fidelities=[2]), r"fidelities: got \[2\]"),
        (lambda r: r.update(harmless=[1]), r"harmless: got \[1\]; expected a list of names of tensors"),
        (lambda r: r.update(tensors=[]), r"tensors: got \[\]; expected a JSON object"),
        (lambda r: r["tensors"]["encoder/relu"].pop("max"), "tensors.encoder/relu.max: field is missing"),
        (lambda r: r["tensors"]["encoder/relu"].update(max=-1), "tensors.encoder/relu.max: got -1"),
        (lambda r: r["tensors"]["encoder/relu"]["symmetric"].update(amax=-1), "symmetric.amax: got -1"),
        (lambda r: r["tensors"]["encoder/relu"]["asymmetric"].update(min=9e9), "asymmetric.max: got"),
        (lambda r: r["tensors"]["encoder/relu"]["asymmetric"].update(method="auto"), "asymmetric.method: got 'auto'"),
        (lambda r: r["tensors"]["encoder/relu"].update(quantiles=[0]), r"quantiles: got \[0\]"),
        (lambda r: r["tensors"]["encoder/relu"].update(extra=0), "encoder/relu.extra: unknown field"),
    ],
)
def test_a_field_that_is_unfit_is_named(written: Path, spoil: Callable[[dict], object], told: str) -> None:
    with pytest.raises(IntegrityError, match=told):
        read_table(spoiled(written, spoil))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"schema_version": NaN}', b"\xff"])
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.json"
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match="t.json"):
        read_table(path)


def test_a_missing_table_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file; expected a calibration table"):
        read_table(tmp_path / "t.json")


def test_a_range_of_nothing_is_a_range() -> None:
    zeros = ranges_of(np.zeros(8))
    assert zeros.asymmetric == Choice("minmax", 0, 0, 0)
    assert zeros.zeros == 1
