"""A data folder of phantoms, after the layout of the real one: MANIFEST.csv and pictures."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from edge_sr.image.phantom import chest_phantom
from edge_sr.image.png import write_png
from host_training.data.protocol import split_of


def write_toy_data(folder: Path, *, test: int, validation: int) -> Path:
    """Two pictures of the first patient of each split, one of any other; a train patient is listed without a file."""
    rows = []
    for split, count in (("test", test), ("validation", validation)):
        first, *others = islice(patients_of(split), max(1, count - 1))
        for number, patient in enumerate([first, first, *others][:count]):
            name = f"nih/{split}-{number}.png"
            (folder / "nih").mkdir(exist_ok=True)
            write_png(folder / name, chest_phantom(256, seed=len(rows)), text={})
            rows.append({"path": name, "source": "phantom", "patient_id": patient})
    rows.append({"path": "nih/train-0.png", "source": "phantom", "patient_id": next(patients_of("train"))})
    with (folder / "MANIFEST.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["path", "source", "patient_id"])
        writer.writeheader()
        writer.writerows(rows)
    return folder


def patients_of(split: str) -> Iterator[str]:
    return (name for i in range(10_000) if split_of(name := f"PHANTOM-{i}") == split)
