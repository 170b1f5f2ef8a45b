"""A data folder of phantoms, after the layout of the real one: MANIFEST.csv and pictures."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import onnx

from edge_sr.image.phantom import chest_phantom
from edge_sr.image.png import write_png
from host_training.data.protocol import split_of
from tests.tiny_bundle import HEADER, LATENTS, LR, SR

HR_ENCODER = f"""hr_encoder ({SR} hr) => ({LATENTS} latents) <float[1,4,1,1] shades = {{1, 0.5, 0.25, 0.125}}> {{
    small = AveragePool<kernel_shape=[8,8], strides=[8,8]>(hr)  latents = Mul(small, shades)
}}"""
REGRESSION = f"""regression ({LR} lr) => ({SR} sr) <float[4] fourfold = {{1,1,4,4}}> {{
    sr = Resize<mode="linear">(lr, , fourfold)
}}"""
LPIPS = """lpips (float[1,3,H,W] ref, float[1,3,H,W] dist) => (float[1,1,1,1] score) {
    difference = Sub(ref, dist)  size = Abs(difference)  score = ReduceMean(size)
}"""


def write_toy_data(folder: Path, *, test: int, validation: int, side: int = 256) -> Path:
    """Two pictures of the first patient of each split, one of any other; a train patient is listed without a file."""
    rows = []
    for split, count in (("test", test), ("validation", validation)):
        first, *others = islice(patients_of(split), max(1, count - 1))
        for number, patient in enumerate([first, first, *others][:count]):
            name = f"nih/{split}-{number}.png"
            (folder / "nih").mkdir(exist_ok=True)
            write_png(folder / name, chest_phantom(side, seed=len(rows)), text={})
            rows.append({"path": name, "source": "phantom", "patient_id": patient})
    rows.append({"path": "nih/train-0.png", "source": "phantom", "patient_id": next(patients_of("train"))})
    with (folder / "MANIFEST.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["path", "source", "patient_id"])
        writer.writeheader()
        writer.writerows(rows)
    return folder


def patients_of(split: str) -> Iterator[str]:
    return (name for i in range(10_000) if split_of(name := f"PHANTOM-{i}") == split)


def write_onnx(path: Path, graph: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(onnx.parser.parse_model(HEADER + graph), path)
    return path
