"""metrics.json, schema 2: what ``edge-sr-host evaluate`` writes, and what documents, figures and bundles read.

    schema_version  2
    protocol        one sentence
    conditions      code_version, date, cpu, cores, threads, backend, limit, data_manifest_sha256, baselines_sha256
                    {name: sha256}, lpips_sha256, time {statistic, warm_up, calls, sessions, load_average, what}
    bundles         {BUNDLE: name, version, sha256, networks_sha256 {role: sha256}, degradation, sampler, steps
                    (null where none runs), precision, backend, parameters, macs (of one tile, null for unknown)}
    bootstrap       over, draws, level, seed
    published       [set, row, seconds, lpips, psnr_db, ssim]: another protocol
    sets            {SET: pictures, patients, split_sha256, listing_sha256, degradation, scales {SIDE: SCALE},
                    across_scales [row, scale, minus, gain {METRIC: INTERVAL}]}

    SCALE           SIDE is that of HR in pixels, as a string
      rows          [key, title, metrics {METRIC: INTERVAL}, over_bicubic {METRIC: INTERVAL}, lpips_of_bicubic INTERVAL,
                    time_ms {median, calls}], or [key, title, not_available]; lr_rmse has "worst" too
      differences   [row, minus, difference {METRIC: INTERVAL}]
      spread        {BUNDLE: count, calibrated, variance_over_error INTERVAL, rank_correlation INTERVAL}; at 256 alone
      worst         {BUNDLE: psnr_gain_db [picture, value], lr_rmse [picture, value]}, worst first
      spectrum      rings [[low, high]] in cycles a picture, rows {ROW: energy_ratio, low, high (one a ring), radial}

INTERVAL is mean, low, high. METRIC is psnr_db, ssim, haarpsi_med, lpips (where its network was there) or lr_rmse. ROW
is bicubic, bicubic_projected, regression, regression_sharpened, or BUNDLE/ and model_1, model_0.5, model_0,
unprojected, zeroed, shuffled, autoencoder; of a bundle that draws no noise model_1 and unprojected alone. radial is the
energy at each whole frequency from 0 to SIDE / 2, divided by that of HR.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_sr.errors import UsageError

SCHEMA_VERSION = 2


def as_json(record: Mapping[str, Any]) -> str:
    """Indented, but a list of numbers on one line."""
    text = json.dumps(record, indent=1, allow_nan=False)
    return re.sub(r"\[[\d\s.,eE+-]*\]", lambda found: " ".join(found[0].split()), text) + "\n"


def read_record(path: Path) -> dict[str, Any]:
    """A metrics.json. UsageError where it is none, or of another schema."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"is no JSON ({error})", where=path, expected="a metrics.json") from error
    found = record.get("schema_version") if isinstance(record, dict) else None
    if found != SCHEMA_VERSION:
        raise UsageError(
            f"has schema_version {found}",
            where=path,
            expected=f"{SCHEMA_VERSION}, the metrics.json of this release",
            hint="edge-sr-host evaluate BUNDLE --out evaluation",
        )
    return dict(record)


def condensed(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record without its curves: what a bundle carries."""
    short = copy.deepcopy(dict(record))
    for of_set in short["sets"].values():
        for scale in of_set["scales"].values():
            for of_row in scale["spectrum"]["rows"].values():
                del of_row["radial"]
    return short
