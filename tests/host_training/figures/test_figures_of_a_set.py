"""The single drawings: what they show, and the sentence in place of what is not there."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("matplotlib")

from edge_sr.errors import UsageError
from host_training.figures.calibration import CLASSES, reliability, spread
from host_training.figures.parts import Drawing, Part
from host_training.figures.quality import differences, minus, quality, trade_off
from host_training.figures.results import Results, first_scale, interval, read_results
from host_training.figures.scales import by_scale
from host_training.figures.spectrum import spectrum
from host_training.figures.style import applied, svg_of
from host_training.figures.worst import gains
from tests.host_training.figures.toy_results import NAME, PICTURES, write_toy_results

NO_NUMBER = {"mean": math.nan, "low": math.nan, "high": math.nan}


@pytest.fixture(autouse=True)
def styled() -> Iterator[None]:
    with applied():
        yield


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("results")
    write_toy_results(folder)
    return read_results(folder)


@pytest.fixture
def scale(results: Results) -> dict[str, Any]:
    return copy.deepcopy(results.metrics["sets"][NAME]["scales"]["256"])


def texts(part: Part) -> list[str]:
    """What a drawing says."""
    assert isinstance(part, Drawing), part
    return re.findall(r"<text [^>]*>([^<]*)</text>", svg_of(part.figure))


def row(scale: dict[str, Any], key: str) -> dict[str, Any]:
    return next(row for row in scale["rows"] if row["key"] == key)


def test_every_row_stands_in_the_figure_with_its_interval(scale: dict[str, Any]) -> None:
    shown = texts(quality(NAME, scale, "psnr_db"))
    for of_row in scale["rows"]:
        found = of_row["metrics"]["psnr_db"]
        assert of_row["title"] in shown
        assert f"{found['mean']:.2f} [{found['low']:.2f}, {found['high']:.2f}]" in shown


def test_a_row_that_was_not_measured_is_left_out(scale: dict[str, Any]) -> None:
    title = row(scale, "regression")["title"]
    scale["rows"][2] = {"key": "regression", "title": title, "not_available": "no such net"}
    row(scale, "bicubic_projected")["metrics"]["psnr_db"] = NO_NUMBER
    shown = texts(quality(NAME, scale, "psnr_db"))
    assert title not in shown and "bicubic, projected" not in shown and "bicubic" in shown


def test_a_figure_without_rows_is_a_sentence(scale: dict[str, Any]) -> None:
    for of_row in scale["rows"]:
        del of_row["metrics"]["lpips"]
    for entry in scale["differences"]:
        del entry["difference"]["lpips"]
    assert quality(NAME, scale, "lpips") == "No figure of LPIPS: it was not measured."
    assert differences(NAME, scale, "lpips") == "No figure of differences in LPIPS: none was measured."
    assert trade_off(NAME, scale) == "No figure of LPIPS against PSNR: LPIPS was not measured."


def test_a_difference_names_its_bundle_once(scale: dict[str, Any]) -> None:
    titles = {of_row["key"]: of_row["title"] for of_row in scale["rows"]}
    assert minus("toy/model_1", "toy/zeroed", titles) == "toy, fidelity 1 − latents zeroed"
    assert minus("toy/model_1", "regression", titles) == "toy, fidelity 1 − regression net"
    assert "toy, fidelity 1 − latents zeroed" in texts(differences(NAME, scale, "psnr_db"))


def test_the_trade_off_names_every_fidelity(scale: dict[str, Any]) -> None:
    shown = texts(trade_off(NAME, scale))
    assert {"toy, fidelity 1", "bicubic", "sharpened"} <= set(shown)


def test_a_spectrum_survives_zeros_and_nan(scale: dict[str, Any]) -> None:
    radial = scale["spectrum"]["rows"]["toy/model_0"]["radial"]
    radial[5], radial[6] = 0.0, math.nan
    scale["spectrum"]["rows"]["bicubic"]["radial"] = [0.0] * len(radial)
    part = spectrum(NAME, "256", scale, "toy")
    assert {"fidelity 0", "ceiling", "LR ends"} <= set(texts(part))
    assert isinstance(part, Drawing) and "nan" not in part.alt
    shares = scale["spectrum"]["rows"]["toy/model_1"]["energy_ratio"]
    assert "fidelity 1 " + ", ".join(f"{share:.2f}" for share in shares) in part.alt


def test_no_spectrum_without_one(scale: dict[str, Any]) -> None:
    del scale["spectrum"]
    assert spectrum(NAME, "256", scale, "toy") == "No spectrum of toy at 256: none was measured."


def test_gains_are_shown_at_each_scale(results: Results) -> None:
    part = by_scale(NAME, results.metrics["sets"][NAME], "toy", "psnr_db")
    assert {"64 to 256", "128 to 512", "fidelity 1"} <= set(texts(part))
    found = row(results.metrics["sets"][NAME]["scales"]["512"], "toy/model_1")["over_bicubic"]["psnr_db"]
    assert isinstance(part, Drawing)
    assert f"{found['mean']:+.2f} [{found['low']:+.2f}, {found['high']:+.2f}] at 512" in part.alt


def test_one_scale_is_no_comparison(results: Results) -> None:
    of_set = copy.deepcopy(dict(results.metrics["sets"][NAME]))
    del of_set["scales"]["512"]
    absent = "No gain in PSNR, dB by scale for toy: it was measured at one scale."
    assert by_scale(NAME, of_set, "toy", "psnr_db") == absent


def test_the_spread_is_shown_with_what_a_calibrated_model_has(results: Results) -> None:
    part = spread(results, NAME, "256", "variance_over_error")
    assert isinstance(part, Drawing) and part.alt.endswith("a calibrated model 0.889.")
    assert "toy, 8 seeds" in texts(part)


def test_no_seeds_no_spread(results: Results) -> None:
    assert spread(results, NAME, "512", "rank_correlation") == (
        "No figure of the rank correlation of spread and error: no seeds were compared."
    )


def test_classes_of_pixels_are_drawn_where_the_record_has_them(scale: dict[str, Any]) -> None:
    entry = {**scale["spread"]["toy"], CLASSES: {"spread": [1.0, 2.0], "error": [1.1, 2.2]}}
    part = reliability(NAME, "toy", entry)
    assert " calibrated" in texts(part) and "1.00 and 1.10; 2.00 and 2.20" in part.alt


def test_gains_picture_by_picture_count_the_losses(results: Results) -> None:
    model, bicubic = (results.values(NAME, "256", key, "psnr_db") for key in ("toy/model_1", "bicubic"))
    lost = sum(model[picture] < bicubic[picture] for picture in model)
    part = gains(results, NAME, "256", "toy")
    assert isinstance(part, Drawing) and part.title == f"toy: {lost} of {PICTURES} below bicubic"


def test_without_figures_of_single_pictures_there_are_no_gains(results: Results) -> None:
    part = gains(Results(results.metrics), NAME, "256", "toy")
    assert part == "No gain picture by picture of toy: per-image.csv does not hold it."


@pytest.mark.parametrize(
    "entry", [None, {}, NO_NUMBER, {"mean": 1.0, "low": None, "high": 2.0}, {"mean": 1.0, "low": 0.5, "high": math.inf}]
)
def test_what_is_no_interval_is_none(entry: dict[str, float] | None) -> None:
    assert interval(entry) is None


def test_the_first_scale_is_the_smallest() -> None:
    assert first_scale({"scales": {"1024": {"a": 1}, "256": {"a": 2}}}) == ("256", {"a": 2})


def test_an_empty_or_odd_cell_is_no_figure(tmp_path: Path) -> None:
    write_toy_results(tmp_path)
    lines = ["set,scale,row,picture,psnr_db", "s,256,bicubic,a,30.5", "s,256,bicubic,b,", "s,256,bicubic,c,x", "s,256"]
    (tmp_path / "per-image.csv").write_text("\n".join(lines))
    assert read_results(tmp_path).values("s", "256", "bicubic", "psnr_db") == {"a": 30.5}


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "no metrics.json here"),
        ("{", "is no JSON"),
        ("[]", "schema_version None"),
        ('{"schema_version": 1}', "schema_version 1"),
    ],
)
def test_what_is_no_evaluation_is_refused(tmp_path: Path, content: str | None, what: str) -> None:
    if content is not None:
        (tmp_path / "metrics.json").write_text(content)
    with pytest.raises(UsageError, match=re.escape(what)):
        read_results(tmp_path)
