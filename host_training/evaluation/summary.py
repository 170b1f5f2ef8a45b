"""From figures of single pictures to what metrics.json says of a set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from host_training.evaluation.pictures import PictureSet
from host_training.evaluation.rows import Row
from host_training.evaluation.scores import METRICS, Scores
from host_training.evaluation.statistics import calibrated_ratio, patient_bootstrap

REFERENCE = "bicubic"
COMPARISONS = (  # what the project claims, or has to admit: first row minus second
    ("model_1", "regression"),
    ("model_1", "model_zeroed"),
    ("model_1", "model_other"),
    ("model_0", "regression"),
    ("model_0", "regression_sharpened"),
)
WORST = 5  # pictures named in each list


def summarise(
    pictures: PictureSet, rows: Sequence[Row], scores: Mapping[str, Scores], spread: Scores, *, seeds: int
) -> dict[str, Any]:
    """One set as JSON. scores: by row, those that could be made; spread: over ``seeds`` seeds at fidelity 0."""
    patients = pictures.patients
    return {
        "pictures": len(pictures),
        "patients": len(set(patients)),
        "split_sha256": pictures.split_sha256,
        "rows": [_row(row, scores, patients) for row in rows],
        "comparisons": [
            {"row": first, "minus": second, "difference": difference(scores[first], scores[second], patients)}
            for first, second in COMPARISONS
            if first in scores and second in scores
        ],
        "seeds": {
            "count": seeds,
            "calibrated": round(calibrated_ratio(seeds), 6),
            **{name: patient_bootstrap(values, patients).to_json() for name, values in spread.items()},
        },
        "worst": worst_pictures(pictures.ids, scores["model_1"], scores[REFERENCE]),
    }


def _row(row: Row, scores: Mapping[str, Scores], patients: Sequence[str]) -> dict[str, Any]:
    if row.key not in scores:
        return {"key": row.key, "title": row.title, "not_available": row.missing}
    own = scores[row.key]
    metrics = {name: patient_bootstrap(values, patients).to_json() for name, values in own.items()}
    metrics["lr_rmse"]["worst"] = round(float(own["lr_rmse"].max()), 6)
    entry: dict[str, Any] = {"key": row.key, "title": row.title, "metrics": metrics}
    if row.key != REFERENCE:
        entry[f"over_{REFERENCE}"] = difference(own, scores[REFERENCE], patients)
    return entry


def difference(first: Scores, second: Scores, patients: Sequence[str]) -> dict[str, dict[str, float]]:
    """first - second, picture by picture, and the interval of its mean: far narrower than the two rows' own."""
    return {name: patient_bootstrap(first[name] - second[name], patients).to_json() for name in first}


def worst_pictures(ids: Sequence[str], model: Scores, reference: Scores) -> dict[str, list[dict[str, Any]]]:
    """The pictures on which the model gains least PSNR, and those whose LR it keeps least well; worst first."""
    gain = model["psnr_db"] - reference["psnr_db"]
    lists = {"psnr_gain_db": (gain, np.argsort(gain)), "lr_rmse": (model["lr_rmse"], np.argsort(-model["lr_rmse"]))}
    return {
        name: [{"picture": ids[i], "value": round(float(values[i]), 6)} for i in order[:WORST]]
        for name, (values, order) in lists.items()
    }


def per_image_lines(pictures: PictureSet, scores: Mapping[str, Scores], spread: Scores) -> list[dict[str, Any]]:
    """One line a row and picture; the spread over seeds stands in lines of a row called model_0_seeds."""
    lines = []
    for key, figures in {**scores, "model_0_seeds": spread}.items():
        for i, (picture, patient) in enumerate(zip(pictures.ids, pictures.patients, strict=True)):
            known = {name: round(float(values[i]), 6) for name, values in figures.items()}
            lines.append({"set": pictures.name, "row": key, "picture": picture, "patient_id": patient, **known})
    return lines


PER_IMAGE_COLUMNS = ("set", "row", "picture", "patient_id", *METRICS, "variance_over_error", "rank_correlation")
