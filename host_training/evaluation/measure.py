"""The evaluation from beginning to end: open everything, measure each set at each scale, tell the conditions.

Everything runs through ONNX files and the product's own code, without torch. The validation split fits the sharpening
gains; the test split and other institutions only report.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from edge_sr import __version__
from edge_sr.artifacts.bundle import file_sha256
from edge_sr.backends.base import Backend, Session
from edge_sr.bench.bootstrap import DRAWS, LEVEL, SEED
from edge_sr.device.facts import read_facts
from edge_sr.errors import UsageError
from edge_sr.image.atomic import write_atomically
from edge_sr.image.png import write_png
from host_training.data.protocol import HR_SIDE, listing
from host_training.evaluation import panels
from host_training.evaluation.candidates import Candidate, check_fit, unused
from host_training.evaluation.fitting import sharpening_gains
from host_training.evaluation.pictures import PictureSet, read_set
from host_training.evaluation.published import PUBLISHED
from host_training.evaluation.record import SCHEMA_VERSION, as_json
from host_training.evaluation.request import HR_ENCODER, REGRESSION, SCALES, Request
from host_training.evaluation.rows import Row, rows_of_bundle, rows_of_set, upscaled
from host_training.evaluation.scores import energies_of_hr, score_row, spread_of
from host_training.evaluation.summary import REFERENCE, Measured, across_scales, per_image_lines, summarise
from host_training.evaluation.tables import markdown_tables, per_image_csv
from host_training.evaluation.timing import time_rows, timing_conditions

PROTOCOL = (
    "HR by area averaging, LR its 4x4 mean rounded to 8 bit, every row rounded to 8 bit before measuring. At 256 the "
    "whole picture is one tile of 64x64; larger ones are cut into such tiles as the product cuts them."
)


@dataclass
class Evaluation:
    """record: metrics.json. lines: of the per-image CSV. pictures: by name of the file, (H, W) uint8.

    gains: of the sharpened row, by what they were fitted on and the side; two sets may share them.
    """

    record: dict[str, Any]
    lines: list[dict[str, Any]] = field(default_factory=list)
    pictures: dict[str, np.ndarray] = field(default_factory=dict)
    gains: dict[tuple[str, int], np.ndarray] = field(default_factory=dict)

    def write(self, out: Path) -> None:
        """Everything into one folder; what an earlier run left there under these names is replaced."""
        texts = {
            "metrics.json": as_json(self.record),
            "per-image.csv": per_image_csv(self.lines),
            "tables.md": markdown_tables(self.record),
        }
        for name, text in texts.items():
            write_atomically(out / name, text.encode(), overwrite=True)
        for name, picture in self.pictures.items():
            write_png(out / f"{name}.png", picture, text={}, overwrite=True)


def evaluate(wanted: Request) -> Evaluation:
    """Measure every bundle on every set that fits it.

    EnvironmentFault where the data are not there, UsageError for a bundle that no set fits and for a scale beyond the
    stored pictures.
    """
    sets = named_apart([read_set(wanted.data_dir, word, limit=wanted.limit) for word in wanted.sets])
    check_fit(wanted.given, sets)
    sides = [sides_of(pictures, wanted.scales) for pictures in sets]  # told before an hour of measuring, not after
    evaluation = Evaluation(
        {
            "schema_version": SCHEMA_VERSION,
            "protocol": PROTOCOL,
            "conditions": conditions(wanted),
            "bundles": {candidate.key: candidate.to_json(wanted.backend()) for candidate in wanted.given},
            "bootstrap": {"over": "patients", "draws": DRAWS, "level": LEVEL, "seed": SEED},
            "published": [row.to_json() for row in PUBLISHED],
            "sets": {},
        }
    )
    for word, pictures, at in zip(wanted.sets, sets, sides, strict=True):
        measure_set(wanted, word, pictures, at, evaluation)
    return evaluation


def named_apart(sets: Sequence[PictureSet]) -> list[PictureSet]:
    """Two stores may lie in folders of one name."""
    apart: list[PictureSet] = []
    for pictures in sets:
        apart.append(replace(pictures, name=unused(pictures.name, [other.name for other in apart])))
    return apart


def sides_of(pictures: PictureSet, scales: Sequence[int] | None) -> list[int]:
    """The sides of HR at which a set is measured, 256 always among them and first."""
    if scales is None:
        return [side for side in SCALES if side <= pictures.side]
    if (largest := max(scales)) > pictures.side:
        raise UsageError(
            f"no HR of {largest} pixels: {pictures.name} (degradation {pictures.degradation}) ends at {pictures.side}",
            where="--scale",
            expected=f"at most {pictures.side}",
        )
    return sorted({HR_SIDE, *scales})


def measure_set(wanted: Request, word: str, pictures: PictureSet, sides: Sequence[int], evaluation: Evaluation) -> None:
    """Add one set to the evaluation. word: what it was asked for by."""
    by_side: dict[int, Measured] = {}
    for side in sides:
        gains = sharpening_gains(wanted, word, side, evaluation.gains) if pictures.degradation == "area" else None
        rows = rows_of_set(pictures, wanted.regression, gains)
        shown = wanted.given
        if side != HR_SIDE and wanted.scales is None:
            shown = [candidate for candidate in wanted.given if candidate.fits(pictures)][:1]
        for candidate in shown:
            rows += rows_of_bundle(candidate, pictures)
        by_side[side] = measure_scale(wanted, pictures, side, rows)
    base = by_side[HR_SIDE]
    for candidate in (each for each in wanted.given if each.key in base.bundles()):
        if wanted.seeds and candidate.draws_noise:
            base.spread[candidate.key] = _spread(wanted, candidate, pictures)
        evaluation.pictures |= panel_pictures(wanted, pictures, base, candidate.key)
    for side, measured in by_side.items():
        evaluation.lines += per_image_lines(pictures, side, measured)
    evaluation.record["sets"][pictures.name] = {
        "pictures": len(pictures),
        "patients": len(set(pictures.patients)),
        "split_sha256": pictures.split_sha256,
        "listing_sha256": pictures.listing_sha256,
        "degradation": pictures.degradation,
        "scales": {str(side): summarise(pictures, side, measured) for side, measured in by_side.items()},
        "across_scales": across_scales(by_side, pictures.patients),
    }


def measure_scale(wanted: Request, pictures: PictureSet, side: int, rows: Sequence[Row]) -> Measured:
    """Time every row, then measure it; one row's sessions are open at a time."""
    measured = Measured(rows, energies_of_hr(pictures, side), wanted.seeds)
    measured.timings = time_rows(rows, pictures.sample(0, side), wanted.backend())
    backend = wanted.quiet_backend()
    with _opened(wanted.lpips, backend) as lpips:
        for row in tqdm(rows, desc=f"{pictures.name} at {side}", unit="row", disable=None):
            if row.opening is not None:
                with row.opening(backend) as produce:
                    figures = score_row(produce, pictures, side, lpips)
                measured.scores[row.key], measured.energies[row.key] = figures
    return measured


@contextmanager
def _opened(network: Path | None, backend: Backend) -> Iterator[Session | None]:
    if network is None:
        yield None
    else:
        with backend.open(network) as session:
            yield session


def _spread(wanted: Request, candidate: Candidate, pictures: PictureSet) -> dict[str, np.ndarray]:
    with candidate.open(wanted.quiet_backend()) as model:
        seeds = [
            lambda sample, seed=seed: upscaled(model, sample.lr, fidelity=0.0, seed=seed)
            for seed in range(wanted.seeds)
        ]
        return spread_of(seeds, pictures, HR_SIDE)


def panel_pictures(wanted: Request, pictures: PictureSet, measured: Measured, key: str) -> dict[str, np.ndarray]:
    """Panels of one bundle, the pictures made once more: keeping them all would take too much memory."""
    gain = measured.scores[f"{key}/model_1"]["psnr_db"] - measured.scores[REFERENCE]["psnr_db"]
    lists = {"panels": panels.spread_by_gain(gain), "worst": panels.worst_by_gain(gain)}
    samples = {i: pictures.sample(i, HR_SIDE) for i in {i for numbers in lists.values() for i in numbers}}
    openings = {row.key: row.opening for row in measured.rows}
    made: dict[str, dict[int, np.ndarray]] = {}
    for name, row_key in {"bicubic": REFERENCE, "model_1": f"{key}/model_1", "model_0": f"{key}/model_0"}.items():
        opening = openings.get(row_key)
        if opening is None:  # what draws no noise has one picture alone
            continue
        with opening(wanted.quiet_backend()) as produce:
            made[name] = {i: produce(sample) for i, sample in samples.items()}
    shown = {
        i: panels.Panel(f"{pictures.ids[i]}  {gain[i]:+.2f} dB over bicubic", sample, *(made[name][i] for name in made))
        for i, sample in samples.items()
    }
    return {
        f"{kind}-{pictures.name}-{key}": panels.draw([shown[i] for i in numbers]) for kind, numbers in lists.items()
    }


def conditions(wanted: Request) -> dict[str, Any]:
    """What the figures depend on beside the bundles, and when and where they were measured."""
    facts, backend = read_facts(), wanted.backend()
    encoders = {f"{each.key}/{HR_ENCODER}": each.hr_encoder for each in wanted.given}
    baselines = {REGRESSION: wanted.regression, **encoders}
    return {
        "backend": f"{backend.name} {backend.version}",
        "data_manifest_sha256": file_sha256(listing(wanted.data_dir)) if wanted.data_dir else None,
        "baselines_sha256": {name: file_sha256(path) for name, path in baselines.items() if path},
        "lpips_sha256": file_sha256(wanted.lpips) if wanted.lpips else None,
        "threads": wanted.threads,
        "limit": wanted.limit,
        "time": timing_conditions(),
        "code_version": __version__,
        "cpu": facts.cpu_model,
        "cores": facts.cores,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
