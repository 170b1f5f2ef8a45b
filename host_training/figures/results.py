"""An evaluation's folder, read back: metrics.json and, beside it, per-image.csv."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_sr.errors import UsageError
from host_training.evaluation.record import read_record

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Results:
    """metrics: metrics.json. lines: of per-image.csv, empty where there is none."""

    metrics: Json
    lines: tuple[Mapping[str, str], ...] = ()

    def values(self, of_set: str, side: str, row: str, column: str) -> dict[str, float]:
        """A column of per-image.csv by picture; pictures without a figure are left out."""
        found = {
            line["picture"]: _number(line.get(column))
            for line in self.lines
            if (line.get("set"), line.get("scale"), line.get("row")) == (of_set, side, row)
        }
        return {picture: value for picture, value in found.items() if math.isfinite(value)}


def read_results(folder: Path) -> Results:
    """UsageError where ``folder`` holds no metrics.json, or one that is damaged or of another schema."""
    file = folder / "metrics.json"
    if not file.is_file():
        hint = f"edge-sr-host evaluate --out {folder}"
        raise UsageError("no metrics.json here", where=folder, expected="the folder of an evaluation", hint=hint)
    return Results(read_record(file), tuple(_lines(folder / "per-image.csv")))


def _lines(file: Path) -> Iterator[Mapping[str, str]]:
    if file.is_file():
        with file.open(newline="") as text:
            yield from csv.DictReader(text)


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def interval(entry: Json | None) -> Json | None:
    """The entry, where it is an interval of numbers; None where it is absent or holds a NaN."""
    bounds = [(entry or {}).get(name) for name in ("mean", "low", "high")]
    return entry if all(isinstance(bound, (int, float)) and math.isfinite(bound) for bound in bounds) else None


def bundles_at(scale: Json) -> list[str]:
    """The keys of the bundles that were measured at a scale, in the order of its rows."""
    return [
        row["key"].rpartition("/")[0] for row in scale["rows"] if row["key"].endswith("/model_1") and "metrics" in row
    ]


def first_scale(of_set: Json) -> tuple[str, Json]:
    """The smallest side and its figures: the protocol's whole picture."""
    side = min(of_set["scales"], key=int)
    return side, of_set["scales"][side]
