"""From figures of single pictures to what metrics.json says of a set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edge_sr.bench.bootstrap import patient_bootstrap, ratio_bootstrap
from host_training.evaluation.pictures import PictureSet
from host_training.evaluation.rows import FIDELITIES, Row
from host_training.evaluation.scores import METRICS, Scores
from host_training.evaluation.spectrum import OCTAVES, octave_energies, octaves, ratio
from host_training.evaluation.statistics import calibrated_ratio
from host_training.evaluation.timing import Timing

REFERENCE = "bicubic"
WITHIN_A_BUNDLE = (("model_1", "zeroed"), ("model_0.5", "zeroed"), ("model_0", "zeroed"), ("model_1", "shuffled"))
AGAINST_THE_SET = (("model_1", "regression"), ("model_0", "regression"), ("model_0", "regression_sharpened"))
WORST = 5  # pictures named in each list


@dataclass
class Measured:
    """One set at one HR side. scores, energies, timings: by row; energies and truth (n, rings). spread: by bundle."""

    rows: Sequence[Row]
    truth: np.ndarray
    seeds: int
    scores: dict[str, Scores] = field(default_factory=dict)
    energies: dict[str, np.ndarray] = field(default_factory=dict)
    timings: dict[str, Timing] = field(default_factory=dict)
    spread: dict[str, Scores] = field(default_factory=dict)

    def bundles(self) -> list[str]:
        """The keys of the bundles that were measured, in the order of the table."""
        return [key.rpartition("/")[0] for key in self.scores if key.endswith("/model_1")]


def summarise(pictures: PictureSet, side: int, measured: Measured) -> dict[str, Any]:
    """One scale of one set as JSON."""
    patients, scores = pictures.patients, measured.scores
    return {
        "rows": [_row(row, measured, patients) for row in measured.rows],
        "differences": [
            {"row": first, "minus": second, "difference": difference(scores[first], scores[second], patients)}
            for first, second in compared(measured.bundles())
            if first in scores and second in scores
        ],
        "spread": {key: _spread(spread, patients, measured.seeds) for key, spread in measured.spread.items()},
        "worst": {
            key: worst_pictures(pictures.ids, scores[f"{key}/model_1"], scores[REFERENCE]) for key in measured.bundles()
        },
        "spectrum": {
            "rings": [list(octave) for octave in octaves(side)],
            "rows": {
                key: _spectrum(energies, measured.truth, side, patients) for key, energies in measured.energies.items()
            },
        },
    }


def compared(bundles: Sequence[str]) -> list[tuple[str, str]]:
    """What the project claims, or has to admit: first row minus second. Later bundles also against the first."""
    pairs = []
    for key in bundles:
        pairs += [(f"{key}/{row}", other) for row, other in AGAINST_THE_SET]
        pairs += [(f"{key}/{row}", f"{key}/{other}") for row, other in WITHIN_A_BUNDLE]
    pairs += [(f"{key}/{row}", f"{bundles[0]}/{row}") for key in bundles[1:] for row in FIDELITIES]
    return pairs


def _row(row: Row, measured: Measured, patients: Sequence[str]) -> dict[str, Any]:
    if row.key not in measured.scores:
        return {"key": row.key, "title": row.title, "not_available": row.missing}
    own, reference = measured.scores[row.key], measured.scores[REFERENCE]
    metrics = {name: patient_bootstrap(values, patients).to_json() for name, values in own.items()}
    metrics["lr_rmse"]["worst"] = round(float(own["lr_rmse"].max()), 6)
    entry: dict[str, Any] = {"key": row.key, "title": row.title, "metrics": metrics}
    if row.key != REFERENCE:
        entry[f"over_{REFERENCE}"] = difference(own, reference, patients)
        if "lpips" in own:
            shares = ratio_bootstrap(own["lpips"], reference["lpips"], patients)
            entry[f"lpips_of_{REFERENCE}"] = shares.to_json()
    if row.key in measured.timings:
        entry["time_ms"] = measured.timings[row.key].to_json()
    return entry


def difference(first: Scores, second: Scores, patients: Sequence[str]) -> dict[str, dict[str, float]]:
    """first - second, picture by picture, and the interval of its mean: far narrower than the two rows' own."""
    return {name: patient_bootstrap(first[name] - second[name], patients).to_json() for name in first}


def _spread(spread: Scores, patients: Sequence[str], seeds: int) -> dict[str, Any]:
    figures = {name: patient_bootstrap(values, patients).to_json() for name, values in spread.items()}
    return {"count": seeds, "calibrated": round(calibrated_ratio(seeds), 6), **figures}


def _spectrum(energies: np.ndarray, truth: np.ndarray, side: int, patients: Sequence[str]) -> dict[str, Any]:
    own, true = octave_energies(energies, side), octave_energies(truth, side)
    intervals = [ratio_bootstrap(a, b, patients) for a, b in zip(own.T, true.T, strict=True)]
    radial = ratio(energies.sum(axis=0), truth.sum(axis=0))[: side // 2 + 1]
    return {
        "energy_ratio": [round(interval.mean, 6) for interval in intervals],
        "low": [round(interval.low, 6) for interval in intervals],
        "high": [round(interval.high, 6) for interval in intervals],
        "radial": [round(float(value), 4) for value in radial],
    }


def worst_pictures(ids: Sequence[str], model: Scores, reference: Scores) -> dict[str, list[dict[str, Any]]]:
    """The pictures on which the model gains least PSNR, and those whose LR it keeps least well; worst first."""
    gain = model["psnr_db"] - reference["psnr_db"]
    lists = {"psnr_gain_db": (gain, np.argsort(gain)), "lr_rmse": (model["lr_rmse"], np.argsort(-model["lr_rmse"]))}
    return {
        name: [{"picture": ids[i], "value": round(float(values[i]), 6)} for i in order[:WORST]]
        for name, (values, order) in lists.items()
    }


def across_scales(measured: Mapping[int, Measured], patients: Sequence[str]) -> list[dict[str, Any]]:
    """For each row at each side but the first: its gain over bicubic there minus that at the first, paired."""
    (first, base), *others = measured.items()
    return [
        {"row": key, "scale": side, "minus": first, "gain": difference(_gain(at, key), _gain(base, key), patients)}
        for side, at in others
        for key in at.scores
        if key != REFERENCE and key in base.scores
    ]


def _gain(measured: Measured, key: str) -> Scores:
    own, reference = measured.scores[key], measured.scores[REFERENCE]
    return {name: own[name] - reference[name] for name in own}


ENERGY_COLUMNS = tuple(f"energy_{number}" for number in range(1, len(OCTAVES) + 1))
PER_IMAGE_COLUMNS = (
    *("set", "scale", "row", "picture", "patient_id"),
    *METRICS,
    *ENERGY_COLUMNS,
    *("variance_over_error", "rank_correlation"),
)


def per_image_lines(pictures: PictureSet, side: int, measured: Measured) -> list[dict[str, Any]]:
    """One line a row and picture; the spread over seeds stands in lines of a row called BUNDLE/seeds."""
    true = octave_energies(measured.truth, side)
    figures: dict[str, Scores] = {}
    for key, scores in measured.scores.items():
        shares = ratio(octave_energies(measured.energies[key], side), true)
        figures[key] = scores | dict(zip(ENERGY_COLUMNS, shares.T, strict=True))
    figures |= {f"{key}/seeds": spread for key, spread in measured.spread.items()}
    return [
        {
            **{"set": pictures.name, "scale": side, "row": key, "picture": picture, "patient_id": patient},
            **{name: round(float(values[i]), 6) for name, values in of_row.items()},
        }
        for key, of_row in figures.items()
        for i, (picture, patient) in enumerate(zip(pictures.ids, pictures.patients, strict=True))
    ]
