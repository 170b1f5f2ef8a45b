"""The evaluation from beginning to end: open everything, measure each set, tell the conditions.

Everything runs through ONNX files and the product's own code, without torch. The validation split fits the sharpening
gains; the test split and other institutions only report.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from edge_sr import __version__
from edge_sr.artifacts.bundle import Bundle, file_sha256
from edge_sr.backends.base import Session
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.device.facts import read_facts
from edge_sr.errors import EnvironmentFault
from edge_sr.image.atomic import write_atomically
from edge_sr.image.png import write_png
from edge_sr.models.latent_diffusion import LatentDiffusion
from host_training.evaluation import panels
from host_training.evaluation.pictures import PictureSet, batches, read_set
from host_training.evaluation.rows import Row, all_rows, check_protocol, model_row, open_baselines, regression_row
from host_training.evaluation.scores import Scores, produced, score_all, spread_all
from host_training.evaluation.sharpening import fit_gains
from host_training.evaluation.statistics import DRAWS, LEVEL, SEED
from host_training.evaluation.summary import per_image_lines, summarise
from host_training.evaluation.tables import markdown_tables, per_image_csv

SCHEMA_VERSION = 1
PROTOCOL = (
    "HR 256x256 by area averaging, LR its 4x4 mean rounded to 8 bit, every row rounded to 8 bit before measuring."
)
BASELINES = Path(__file__).resolve().parents[2] / "benchmarks" / "baselines"
LPIPS = Path("lpips") / "lpips_squeeze_v0.1.onnx"  # in the data folder
FITTING_SET = "nih-validation"


@dataclass(frozen=True)
class Instruments:
    """What a set is measured with. lpips: None where its network is not there."""

    model: LatentDiffusion
    rows: Sequence[Row]
    lpips: Session | None
    seeds: int


@dataclass
class Evaluation:
    """record: metrics.json. lines: of the per-image CSV. pictures: the panel pictures by set, (H, W) uint8."""

    record: dict[str, Any]
    lines: list[dict[str, Any]] = field(default_factory=list)
    pictures: dict[str, np.ndarray] = field(default_factory=dict)

    def write(self, out: Path) -> None:
        """Everything into one folder; what an earlier run left there under these names is replaced."""
        texts = {
            "metrics.json": json.dumps(self.record, indent=1, allow_nan=False) + "\n",
            "per-image.csv": per_image_csv(self.lines),
            "tables.md": markdown_tables(self.record),
        }
        for name, text in texts.items():
            write_atomically(out / name, text.encode(), overwrite=True)
        for name, picture in self.pictures.items():
            write_png(out / f"panels-{name}.png", picture, text={}, overwrite=True)


def evaluate(
    bundle: Bundle,
    *,
    data_dir: Path,
    sets: Sequence[str] = ("nih-test",),
    baselines: Path = BASELINES,
    lpips_file: Path | None = None,
    limit: int | None = None,
    seeds: int = 8,
    threads: int | None = None,
) -> Evaluation:
    """Measure a bundle on each of ``sets``.

    lpips_file: None takes the one in the data folder, if there is one. limit: pictures a set, spread evenly; None
    takes all. EnvironmentFault where the data are not there, UsageError for a bundle that does not fit the protocol.
    """
    lpips_file = lpips_file or data_dir / LPIPS
    check_protocol(bundle)
    with ExitStack() as closing:
        backend = OnnxRuntime(threads, spinning=False)  # several sessions are open; an idle one must not slow the rest
        model = closing.enter_context(LatentDiffusion(bundle, backend))
        nets = open_baselines(baselines, backend, closing)
        gains = sharpening_gains(nets.get("regression.onnx"), data_dir, limit)
        lpips = closing.enter_context(backend.open(lpips_file)) if lpips_file.is_file() else None
        instruments = Instruments(model, all_rows(model, nets, gains), lpips, seeds)
        record = {
            "schema_version": SCHEMA_VERSION,
            "protocol": PROTOCOL,
            "conditions": {
                **conditions(bundle, model, data_dir),
                "baselines_sha256": {name: file_sha256(baselines / name) for name in nets},
                "lpips_sha256": file_sha256(lpips_file) if lpips else None,
                "threads": threads,
                "limit": limit,
            },
            "bootstrap": {"over": "patients", "draws": DRAWS, "level": LEVEL, "seed": SEED},
            "sets": {},
        }
        evaluation = Evaluation(record)
        for name in sets:
            measure(read_set(data_dir, name, limit=limit), instruments, evaluation)
    return evaluation


def measure(pictures: PictureSet, instruments: Instruments, evaluation: Evaluation) -> None:
    """Add one set to the evaluation."""
    scores: dict[str, Scores] = {}
    made: dict[str, np.ndarray] = {}
    for row in tqdm(instruments.rows, desc=pictures.name, unit="row", disable=None):
        if row.produce is not None:
            sr = produced(row.produce, pictures)
            scores[row.key] = score_all(sr, pictures, instruments.lpips)
            if row.key in panels.ROWS:
                made[row.key] = sr
    seeds = instruments.seeds
    spread = spread_all([model_row(instruments.model, fidelity=0.0, seed=seed) for seed in range(seeds)], pictures)
    gain = scores["model_1"]["psnr_db"] - scores["bicubic"]["psnr_db"]
    evaluation.record["sets"][pictures.name] = summarise(pictures, instruments.rows, scores, spread, seeds=seeds)
    evaluation.lines += per_image_lines(pictures, scores, spread)
    shown = panels.panels_of(pictures.ids, pictures.lr, pictures.hr, made, gain)
    evaluation.pictures[pictures.name] = panels.draw(shown)


def sharpening_gains(regression: Session | None, data_dir: Path, limit: int | None = None) -> np.ndarray | None:
    """The gains of the sharpened row, fitted on the validation split whatever is measured; None where there is none."""
    if regression is None:
        return None
    try:
        pictures = read_set(data_dir, FITTING_SET, limit=limit)
    except EnvironmentFault:
        return None
    produce = regression_row(regression)
    shown = tqdm(batches(pictures), desc="fitting the sharpening", unit="batch", disable=None)
    return fit_gains((produce(batch), batch.hr) for batch in shown)


def conditions(bundle: Bundle, model: LatentDiffusion, data_dir: Path) -> dict[str, Any]:
    """What the figures depend on, and when and where they were measured."""
    manifest, provenance = bundle.manifest, model.provenance
    return {
        "bundle": {
            "name": manifest.name,
            "version": manifest.version,
            "sha256": bundle.sha256,
            # These stay when the figures are written into the manifest, whose own hash then changes.
            "networks_sha256": {role: file_sha256(bundle.path(role)) for role in manifest.networks},
        },
        **{name: provenance[name] for name in ("backend", "precision", "sampler", "steps")},
        "data_manifest_sha256": file_sha256(data_dir / "MANIFEST.csv"),
        "code_version": __version__,
        "cpu": read_facts().cpu_model,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
