from __future__ import annotations

import copy
import csv
import json
from typing import Any

import numpy as np

from host_training.evaluation.pictures import PictureSet
from host_training.evaluation.rows import TITLES, Row
from host_training.evaluation.summary import per_image_lines, summarise
from host_training.evaluation.tables import markdown_tables, per_image_csv

PIXELS = np.zeros((3, 1, 1), np.uint8)
PICTURES = PictureSet("nih-test", ("nih/a", "nih/b", "nih/c"), ("A", "A", "C"), PIXELS, PIXELS, "0" * 64)
SPREAD = {"variance_over_error": np.array([0.2, 0.3, 0.4]), "rank_correlation": np.array([0.1, 0.2, 0.3])}
GAIN = np.array([1.0, -0.5, 2.0])


def scores(gain: np.ndarray, *, lpips: bool = True) -> dict[str, np.ndarray]:
    figures = {"psnr_db": 30 + gain, "ssim": 0.9 + 0 * gain, "haarpsi_med": 0.7 + 0 * gain, "lpips": 0.2 - 0.01 * gain}
    figures["lr_rmse"] = np.array([0.1, 0.3, 0.2])
    return figures if lpips else {name: values for name, values in figures.items() if name != "lpips"}


def record(*, lpips: bool = True) -> dict[str, Any]:
    rows = [Row(key, None, "no such net" if key == "regression" else "") for key in TITLES]
    measured = {"bicubic": scores(0 * GAIN, lpips=lpips), "model_1": scores(GAIN, lpips=lpips)}
    measured["model_zeroed"] = scores(0 * GAIN - 2, lpips=lpips)
    bundle = {"name": "toy", "version": "1.0.0"}
    conditions = {"bundle": bundle, "sampler": "ddim", "steps": 1, "precision": "fp32", "backend": "onnxruntime 1"}
    conditions |= {"code_version": "0", "date": "2030-01-02T03:04:05", "cpu": None, "limit": None}
    sets = {"nih-test": summarise(PICTURES, rows, measured, SPREAD, seeds=8)}
    return {"protocol": "P.", "bootstrap": {"level": 0.95}, "conditions": conditions, "sets": sets}


def line_of(text: str, title: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {title}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_shows_means_intervals_gain_and_the_worst() -> None:
    cells = line_of(markdown_tables(record()), "model, fidelity 1 |")
    assert cells[1].startswith("30.83 [")
    assert cells[2].startswith("+0.83 [")
    assert cells[-1] == "0.200 (0.300)"


def test_differences_are_paired() -> None:
    of_set = record()["sets"]["nih-test"]
    (pair,) = (entry for entry in of_set["comparisons"] if entry["minus"] == "model_zeroed")
    assert pair["difference"]["psnr_db"]["mean"] == 2.833333
    # patient A gains 0.25 a picture, C 2: resampled, the mean lies between those two
    assert (pair["difference"]["psnr_db"]["low"], pair["difference"]["psnr_db"]["high"]) == (2.25, 4.0)


def test_comparisons_with_missing_rows_are_left_out() -> None:
    assert [entry["minus"] for entry in record()["sets"]["nih-test"]["comparisons"]] == ["model_zeroed"]


def test_a_missing_row_says_why() -> None:
    assert line_of(markdown_tables(record()), "regression net: no such net")[1:] == ["not available"] * 6


def test_lpips_without_its_network_is_not_available() -> None:
    cells = line_of(markdown_tables(record(lpips=False)), "model, fidelity 1 |")
    assert cells[5] == "not available"
    assert cells[4].startswith("0.7000")


def test_the_worst_pictures_are_named_worst_first() -> None:
    worst = record()["sets"]["nih-test"]["worst"]
    assert [entry["picture"] for entry in worst["psnr_gain_db"]] == ["nih/b", "nih/a", "nih/c"]
    assert worst["lr_rmse"][0] == {"picture": "nih/b", "value": 0.3}


def test_the_tables_come_from_the_json_alone() -> None:
    first = record()
    kept = copy.deepcopy(first)
    assert markdown_tables(json.loads(json.dumps(first))) == markdown_tables(first)
    assert first == kept


def test_the_csv_has_a_line_a_row_and_picture() -> None:
    text = per_image_csv(per_image_lines(PICTURES, {"bicubic": scores(GAIN, lpips=False)}, SPREAD))
    lines = list(csv.DictReader(text.splitlines()))
    assert [line["row"] for line in lines] == ["bicubic"] * 3 + ["model_0_seeds"] * 3
    assert (lines[1]["picture"], lines[1]["psnr_db"], lines[1]["lpips"]) == ("nih/b", "29.5", "")
    assert (lines[4]["psnr_db"], lines[4]["variance_over_error"]) == ("", "0.3")
