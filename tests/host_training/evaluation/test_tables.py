from __future__ import annotations

import copy
import csv
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edge_sr.artifacts.bundle import Bundle
from host_training.evaluation.pictures import PictureSet
from host_training.evaluation.published import PUBLISHED
from host_training.evaluation.record import condensed
from host_training.evaluation.rows import OF_DIFFUSION, OF_EVERY_SET, Row
from host_training.evaluation.scores import Scores
from host_training.evaluation.summary import Measured, across_scales, compared, per_image_lines, summarise
from host_training.evaluation.tables import headline_tables, markdown_tables, per_image_csv
from host_training.evaluation.timing import Timing
from host_training.model_card import model_card

NOTHING = np.zeros((1, 1), np.uint8)
PATIENTS = ("A", "A", "C")
PICTURES = PictureSet(
    "nih-test", "area", ("nih/a", "nih/b", "nih/c"), PATIENTS, 512, "", "", lambda i, s: (NOTHING, NOTHING)
)
SPREAD = {"variance_over_error": np.array([0.2, 0.3, 0.4]), "rank_correlation": np.array([0.1, 0.2, 0.3])}
GAIN = np.array([1.0, -0.5, 2.0])
RINGS = 182


def scores(gain: np.ndarray, *, lpips: bool = True) -> Scores:
    figures = {"psnr_db": 30 + gain, "ssim": 0.9 + 0 * gain, "haarpsi_med": 0.7 + 0 * gain, "lpips": 0.2 - 0.01 * gain}
    figures["lr_rmse"] = np.array([0.1, 0.3, 0.2])
    return figures if lpips else {name: values for name, values in figures.items() if name != "lpips"}


def measured(*, lpips: bool = True, factor: float = 1.0, rings: int = RINGS) -> Measured:
    """Two bundles, a and b, of which b has one row; no regression net. factor: of the gain over bicubic."""
    rows = [Row(key, title, None, "no such net") for key, title in OF_EVERY_SET.items()]
    rows += [Row(f"a/{key}", f"a, {title}", None, "left out") for key, title in OF_DIFFUSION.items()]
    rows += [Row("b/model_1", "b, fidelity 1", None)]
    of_row = {"bicubic": 0 * GAIN, "a/model_1": factor * GAIN, "a/zeroed": 0 * GAIN - 2, "b/model_1": GAIN + 1}
    truth = np.ones((3, rings))
    return Measured(
        rows,
        truth,
        8,
        {key: scores(gain, lpips=lpips) for key, gain in of_row.items()},
        {key: truth * share for key, share in zip(of_row, (0.5, 0.9, 0.4, 1.1), strict=True)},
        {"a/model_1": Timing(12.34, 15)},
        {"a": SPREAD},
    )


def record(*, lpips: bool = True, degradation: str = "area") -> dict[str, Any]:
    at = {256: measured(lpips=lpips), 512: measured(lpips=lpips, factor=0.5, rings=400)}
    bundle = {"name": "toy", "version": "1.0.0", "sampler": "ddim", "steps": 1, "precision": "fp32"}
    time = {"what": "x", "statistic": "median", "calls": 15, "warm_up": 2, "sessions": "one at a time"}
    conditions = {"backend": "onnxruntime 1", "code_version": "0", "date": "2030-01-02T03:04:05", "cpu": None}
    conditions |= {"limit": None, "threads": None, "cores": 2, "time": time | {"load_average": None}}
    of_set = {"pictures": 3, "patients": 2, "degradation": degradation}
    of_set["scales"] = {str(side): summarise(PICTURES, side, of_side) for side, of_side in at.items()}
    of_set["across_scales"] = across_scales(at, PATIENTS)
    return {
        "protocol": "P.",
        "bootstrap": {"level": 0.95},
        "conditions": conditions,
        "bundles": {"a": bundle},
        "published": [row.to_json() for row in PUBLISHED],
        "sets": {"nih-test": of_set},
    }


def scale(*, lpips: bool = True) -> dict[str, Any]:
    return record(lpips=lpips)["sets"]["nih-test"]["scales"]["256"]


def cells_of(text: str, title: str, *, below: str = "") -> list[str]:
    """The first line of a table that begins with ``title``, after the line that holds ``below``."""
    lines = text[text.index(below) :].splitlines()
    line = next(line for line in lines if line.startswith(f"| {title} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_has_the_published_form_and_what_that_lacks() -> None:
    cells = cells_of(markdown_tables(record()), "a, fidelity 1")
    assert cells == ["a, fidelity 1", "12.3", "0.1917", "30.83", "0.9000", "0.7000", "0.200 (0.300)"]


def test_differences_are_paired() -> None:
    (pair,) = (entry for entry in scale()["differences"] if entry["minus"] == "a/zeroed")
    assert pair["difference"]["psnr_db"]["mean"] == 2.833333
    # patient A gains 0.25 a picture, C 2: resampled, the mean lies between those two
    assert (pair["difference"]["psnr_db"]["low"], pair["difference"]["psnr_db"]["high"]) == (2.25, 4.0)


def test_differences_with_missing_rows_are_left_out() -> None:
    assert [(entry["row"], entry["minus"]) for entry in scale()["differences"]] == [
        ("a/model_1", "a/zeroed"),
        ("b/model_1", "a/model_1"),
    ]


def test_every_bundle_but_the_first_is_compared_with_the_first() -> None:
    across = [(first, second) for first, second in compared(["a", "b", "c"]) if "/" in second and first[0] != second[0]]
    assert across == [(f"{b}/{row}", f"a/{row}") for b in "bc" for row in ("model_1", "model_0.5", "model_0")]


def test_what_is_missing_says_why_once() -> None:
    text = markdown_tables(record())
    assert text.count("No bicubic, projected; no regression net; no regression net, rings sharpened: no such net.") == 2
    assert "| regression net |" not in text


def test_lpips_is_shown_as_a_share_of_bicubics() -> None:
    row = next(row for row in scale()["rows"] if row["key"] == "a/model_1")
    assert row["lpips_of_bicubic"]["mean"] == pytest.approx((0.19 + 0.205 + 0.18) / 0.6, abs=1e-6)
    assert cells_of(markdown_tables(record()), "a, fidelity 1", below="row minus bicubic")[-1].startswith("0.958 [")


def test_lpips_without_its_network_is_not_available() -> None:
    text = markdown_tables(record(lpips=False))
    assert cells_of(text, "a, fidelity 1")[2] == "not available"
    assert cells_of(text, "a, fidelity 1", below="row minus bicubic")[-1] == "not available"


def test_the_spectrum_is_energy_over_that_of_hr() -> None:
    spectrum = scale()["spectrum"]
    assert spectrum["rings"] == [[16, 32], [32, 64], [64, 128]]
    assert spectrum["rows"]["a/model_1"]["energy_ratio"] == [0.9, 0.9, 0.9]
    assert spectrum["rows"]["a/model_1"]["radial"] == [0.9] * 129
    assert cells_of(markdown_tables(record()), "a, fidelity 1", below="16 to 32 cycles")[1] == "0.90 [0.90, 0.90]"


def test_the_gain_at_another_scale_is_paired_with_that_at_256() -> None:
    entries = record()["sets"]["nih-test"]["across_scales"]
    (entry,) = (entry for entry in entries if entry["row"] == "a/model_1")
    assert (entry["scale"], entry["minus"]) == (512, 256)
    assert entry["gain"]["psnr_db"]["mean"] == pytest.approx(-0.5 * GAIN.mean(), abs=1e-6)
    cells = cells_of(markdown_tables(record()), "a, fidelity 1", below="Gain by scale")
    assert [cell.split()[0] for cell in cells[1:]] == ["+0.83", "+0.42", "-0.42"]


def test_the_seeds_of_each_bundle_have_a_line() -> None:
    cells = cells_of(markdown_tables(record()), "a, 8 seeds")
    assert (cells[1].split()[0], cells[2], cells[3].split()[0]) == ("0.300", "0.889", "0.200")


def test_the_worst_pictures_are_named_worst_first() -> None:
    worst = scale()["worst"]["a"]
    assert [entry["picture"] for entry in worst["psnr_gain_db"]] == ["nih/b", "nih/a", "nih/c"]
    assert worst["lr_rmse"][0] == {"picture": "nih/b", "value": 0.3}


def test_published_rows_stand_apart_and_say_so() -> None:
    text = markdown_tables(record())
    apart = text[text.index("as published, another protocol, not comparable row by row") :]
    assert cells_of(apart, "NIH ChestX-ray14, latent diffusion")[1:] == ["7020", "0.1232", "27.34", "0.8647"]
    assert "| a, fidelity 1" not in apart


def test_another_degradation_is_named_where_the_protocol_stands() -> None:
    assert "degradation cubic" in markdown_tables(record(degradation="cubic"))
    assert "P." not in markdown_tables(record(degradation="cubic"))


def test_no_table_is_wider_than_seven_columns() -> None:
    assert max(line.count("|") for line in markdown_tables(record()).splitlines()) <= 8


def test_a_model_card_has_the_headlines_alone() -> None:
    text = headline_tables(record())
    assert "| row | time, ms |" in text
    assert "cycles" not in text and "published" not in text


def test_a_model_card_is_made_of_what_a_bundle_carries(tiny: Bundle) -> None:
    card = model_card(replace(tiny.manifest, evaluation=condensed(record())), "edge")
    assert cells_of(card, "a, fidelity 1")[3] == "30.83"
    assert "Not evaluated yet." in model_card(tiny.manifest, "edge")


def test_the_tables_come_from_the_json_alone() -> None:
    first = record()
    kept = copy.deepcopy(first)
    assert markdown_tables(json.loads(json.dumps(first))) == markdown_tables(first)
    assert first == kept


def test_the_csv_has_a_line_a_row_and_picture() -> None:
    lines = list(csv.DictReader(per_image_csv(per_image_lines(PICTURES, 256, measured(lpips=False))).splitlines()))
    assert [line["row"] for line in lines[::3]] == ["bicubic", "a/model_1", "a/zeroed", "b/model_1", "a/seeds"]
    assert [lines[4][name] for name in ("set", "scale", "picture", "psnr_db", "lpips")] == [
        *("nih-test", "256", "nih/b", "29.5", "")
    ]
    assert [lines[4][name] for name in ("energy_1", "variance_over_error")] == ["0.9", ""]
    assert [lines[13][name] for name in ("energy_1", "psnr_db", "variance_over_error")] == ["", "", "0.3"]
