"""A small evaluation's folder, its record made by the code that makes real ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_sr.artifacts.bundle import Bundle, default_bundle
from host_training.evaluation.pictures import PictureSet
from host_training.evaluation.published import PUBLISHED
from host_training.evaluation.record import as_json
from host_training.evaluation.rows import OF_DIFFUSION, OF_EVERY_SET, Row
from host_training.evaluation.scores import METRICS, Scores
from host_training.evaluation.summary import Measured, across_scales, per_image_lines, summarise
from host_training.evaluation.tables import per_image_csv
from host_training.evaluation.timing import Timing

NAME = "nih-test"
PICTURES = 6
IDS, PATIENTS = tuple(f"nih/{i}.png" for i in range(PICTURES)), ("A", "A", "B", "C", "D", "E")
NOTHING = np.zeros((1, 1), np.uint8)
SET = PictureSet(NAME, "area", IDS, PATIENTS, 512, "1" * 64, "2" * 64, lambda i, side: (NOTHING, NOTHING))
MIDDLE = {"psnr_db": 33.0, "ssim": 0.9, "haarpsi_med": 0.7, "lpips": 0.2, "lr_rmse": 0.08}


def measured(side: int, bundles: Sequence[str], *, lpips: bool = True, seeds: int = 8) -> Measured:
    """Random scores about as large as real ones, another draw at every side."""
    rng = np.random.default_rng(side)
    rows = [Row(key, title, None) for key, title in OF_EVERY_SET.items()]
    rows += [Row(f"{b}/{key}", f"{b}, {title}", None) for b in bundles for key, title in OF_DIFFUSION.items()]
    truth = rng.uniform(1, 2, (PICTURES, side * 3 // 4))
    made = Measured(rows, truth, seeds)
    for row in rows:
        made.scores[row.key] = scores(rng, lpips=lpips)
        made.energies[row.key] = truth * rng.uniform(0.1, 1.2, truth.shape)
    made.timings = {f"{b}/model_1": Timing(12.345, 15) for b in bundles}
    if side == 256 and seeds:
        made.spread = {b: scores_of_seeds(rng) for b in bundles}
    return made


def scores(rng: np.random.Generator, *, lpips: bool) -> Scores:
    shift = rng.uniform(0.9, 1.1)
    names = [name for name in METRICS if lpips or name != "lpips"]
    return {name: MIDDLE[name] * shift * rng.uniform(0.98, 1.02, PICTURES) for name in names}


def scores_of_seeds(rng: np.random.Generator) -> Scores:
    return {"variance_over_error": rng.uniform(0.5, 1.1, PICTURES), "rank_correlation": rng.uniform(0.3, 0.6, PICTURES)}


def write_toy_results(
    folder: Path,
    *,
    bundles: Sequence[str] = ("toy",),
    sides: Sequence[int] = (256, 512),
    lpips: bool = True,
    seeds: int = 8,
    per_image: bool = True,
) -> dict[str, Any]:
    """metrics.json and per-image.csv; the bundles have the networks of the default one. Returns the record."""
    at = {side: measured(side, bundles, lpips=lpips, seeds=seeds) for side in sides}
    networks = Bundle.open(default_bundle()).manifest.networks
    of_bundle = {"name": "toy", "version": "1.2.3", "sha256": "3" * 64, "degradation": "area", "sampler": "ddim"}
    of_bundle |= {"steps": 2, "precision": "fp32", "backend": "onnxruntime 1"}
    of_bundle["networks_sha256"] = {role: networks[role].sha256 for role in networks}
    time = {"statistic": "median", "warm_up": 2, "calls": 15, "sessions": "one at a time", "load_average": 0.5}
    record = {
        "schema_version": 2,
        "protocol": "HR & LR as <always>.",
        "conditions": {
            **{"backend": "onnxruntime 1", "code_version": "0.1.0", "date": "2030-01-02T03:04:05+00:00", "cpu": None},
            **{"cores": 2, "threads": 1, "limit": None, "data_manifest_sha256": "4" * 64, "baselines_sha256": {}},
            **{"lpips_sha256": "5" * 64 if lpips else None, "time": {**time, "what": "LR to picture"}},
        },
        "bundles": dict.fromkeys(bundles, of_bundle),
        "bootstrap": {"over": "patients", "draws": 1000, "level": 0.95, "seed": 0},
        "published": [row.to_json() for row in PUBLISHED],
        "sets": {
            NAME: {
                **{"pictures": PICTURES, "patients": 5, "split_sha256": "1" * 64, "listing_sha256": "2" * 64},
                "degradation": "area",
                "scales": {str(side): summarise(SET, side, of_side) for side, of_side in at.items()},
                "across_scales": across_scales(at, PATIENTS),
            }
        },
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.json").write_text(as_json(record))
    lines = [line for side, of_side in at.items() for line in per_image_lines(SET, side, of_side)]
    if per_image:
        (folder / "per-image.csv").write_text(per_image_csv(lines))
    return record
