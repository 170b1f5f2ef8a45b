"""What quantisation-aware training is worth, shown on a model that was made bad on purpose.

    python -m host_training.qat_recovery --data FOLDER

In every block a few channels are made larger before the ReLU and their weights behind it smaller by the same factor. In
float32 that changes nothing. But a tensor has one scale: wide enough for those channels it leaves the others few codes,
narrow enough for the others it cuts those off, and beside its neighbours their small weights round to 0. However the
ranges are chosen, post-training quantisation loses most of what the model gains over interpolation. Then ``train qat``
runs on it.

All figures are of the validation split; the test split stays untouched.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
import torch
from onnx import ModelProto
from torch import Tensor, nn

from build_engines.quantize import Ranges, insert_qdq, placement
from edge_sr import __version__
from edge_sr.artifacts.bundle import Bundle, default_bundle, file_sha256, write_bundle
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.cli.exit_codes import guarded
from edge_sr.device.facts import read_facts
from edge_sr.image.atomic import write_atomically
from edge_sr.image.bicubic import upsample_bicubic
from edge_sr.image.consistency import project
from host_training.data.crops import load_pictures
from host_training.data.protocol import listing
from host_training.fake_quant import LearntRanges
from host_training.loop import CONFIGS, Schedule, load_weights, read_config
from host_training.nets.autoencoder import LATENT_CHANNELS
from host_training.nets.blocks import ResBlock
from host_training.nets.edge_model import EdgeModel
from host_training.nets.unet_lite import TimedBlock
from host_training.options import data_option
from host_training.ranges_file import read_ranges
from host_training.settings import table_as
from host_training.train_qat import (
    ROLES,
    QatSettings,
    QuantisedModel,
    calibration_lr,
    composed,
    filled,
    model_of,
    observed_ranges,
    parts_of,
    train_qat,
)
from host_training.validation import psnr_of, validation_pairs

CONFIG = CONFIGS / "qat_recovery.toml"
FACTOR, EVERY = 1000.0, 32  # two channels of 64
TAILS = {"min_max": 0.0, "99.99_percent": 1e-4, "99.9_percent": 1e-3, "99_percent": 1e-2}
PACKAGES = ("numpy", "onnx", "onnxruntime", "torch")

Figures = dict[str, dict[str, float]]
"""simulated (as the graph is meant) or onnxruntime (as this machine's kernels compute it) -> figure -> dB."""


@torch.no_grad()
def spoil(nets: EdgeModel, *, factor: float = FACTOR, every: int = EVERY) -> None:
    """Multiply every n-th channel between the convolutions of each block, and divide what reads it, by ``factor``."""
    for role in ROLES:
        for block in getattr(nets, role).modules():
            if not isinstance(block, (ResBlock, TimedBlock)):
                continue
            factors = torch.ones(block.conv1.out_channels)
            factors[::every] = factor
            before: list[nn.Module] = [block.conv1]
            if isinstance(block, TimedBlock):
                before.append(block.time)  # which is added before the ReLU
            for value in (value for layer in before for value in layer.parameters()):
                value.mul_(factors.reshape(-1, *[1] * (value.ndim - 1)))
            block.conv2.weight.div_(factors[:, None, None])


def spoiled_bundle(start: Bundle, settings: dict[str, Any], folder: Path) -> Bundle:
    """The bundle with spoilt networks, as a new one."""
    nets, _ = model_of(start, settings)
    spoil(nets)
    parts = {role: filled(part, getattr(nets, role)) for role, part in parts_of(start).items()}
    parts["upscale"] = composed(parts, nets.table(1))
    staging = folder.with_name(f"{folder.name}.staging")
    for role, part in parts.items():
        file = staging / start.manifest.networks[role].file
        file.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(part, file)
    manifest = replace(start.manifest, name="spoilt", calibration=(), files={}, evaluation={}, provenance={})
    return write_bundle(folder, staging=staging, manifest=manifest, overwrite=True)


@dataclass(frozen=True)
class Validation:
    """Pictures of the validation split, (n, 1, 256, 256) and (n, 1, 64, 64) in [0, 1], and what float32 makes of LR."""

    truth: Tensor
    lr: Tensor
    float32: Tensor

    def figures(self, sr: Tensor) -> dict[str, float]:
        """PSNR against the truth and against the float32 model's pictures, dB."""
        return {"psnr_db": round(psnr_of(sr, self.truth), 3), "to_float32_db": round(psnr_of(sr, self.float32), 2)}


def answers(graph: ModelProto, lr: Tensor) -> Tensor:
    """What ONNX Runtime makes of LR at fidelity 1, one picture after the other."""
    noise = no_noise(lr[:1]).numpy()
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(graph, Path(folder) / "graph.onnx")
        with OnnxRuntime(threads=1, spinning=False).open(Path(folder) / "graph.onnx") as session:
            pictures = [session.run({"lr": each[None], "noise": noise})["sr"] for each in lr.numpy()]
    return torch.from_numpy(np.concatenate(pictures))


def no_noise(lr: Tensor) -> Tensor:
    return torch.zeros(len(lr), LATENT_CHANNELS, lr.shape[2] // 2, lr.shape[3] // 2)


@torch.no_grad()
def int8_figures(nets: EdgeModel, start: Bundle, ranges: Ranges, flavour: str, validation: Validation) -> Figures:
    """Those of the INT8 graph of these networks."""
    table = nets.table(1)
    float32 = composed({role: filled(part, getattr(nets, role)) for role, part in parts_of(start).items()}, table)
    places = placement(float32, flavour)
    model = QuantisedModel(nets, {1: LearntRanges(places, ranges)})
    got = answers(insert_qdq(float32, ranges, places), validation.lr)
    meant = model.upscale(validation.lr, no_noise(validation.lr), table)
    return {"onnxruntime": validation.figures(got), "simulated": validation.figures(meant)}


def recovery(config: Path, data_dir: Path, folder: Path) -> dict[str, Any]:
    """The whole demonstration, in ``folder``; called again, the training goes on where it stopped."""
    settings = read_config(config)
    qat = table_as(QatSettings, settings, "qat")
    healthy = Bundle.open(default_bundle())
    spoilt = spoiled_bundle(healthy, settings, folder / "spoilt")
    nets, _ = model_of(spoilt, settings)
    truth, lr = validation_pairs(data_dir, folder, torch.device("cpu"))
    validation = Validation(truth, lr, answers(composed(parts_of(spoilt), nets.table(1)), lr))
    calibration = calibration_lr(load_pictures(data_dir, "train", cache_dir=folder), qat.calibration_pictures)

    def calibrated(bundle: Bundle, tail: float) -> Figures:
        model, _ = model_of(bundle, settings)
        places = placement(composed(parts_of(bundle), model.table(1)), qat.flavour)
        ranges = observed_ranges(model, {1: places}, calibration, tail=tail)[1].by_tensor()
        return int8_figures(model, bundle, ranges, qat.flavour, validation)

    interpolated = torch.from_numpy(project(upsample_bicubic(lr.numpy()), lr.numpy()))
    report: dict[str, Any] = {
        "pictures": len(lr),
        "bicubic_projected": {"psnr_db": round(psnr_of(interpolated, truth), 3)},
        "float32": {"psnr_db": round(psnr_of(validation.float32, truth), 3)},
        "ptq_before_it_was_spoilt": calibrated(healthy, tail=0.0),
        "ptq": {name: calibrated(spoilt, tail) for name, tail in TAILS.items()},
    }
    start, cpu_start = time.monotonic(), time.process_time()
    train_qat(config, data_dir=data_dir, out=folder / "qat", bundle=spoilt.folder)
    report["training"] = {
        "minutes": round((time.monotonic() - start) / 60, 1),
        "cpu_minutes": round((time.process_time() - cpu_start) / 60, 1),
    }
    load_weights(folder / "qat" / "weights.safetensors", **{role: getattr(nets, role) for role in ROLES})
    flavour, learnt = read_ranges(folder / "qat" / "ranges.json", steps=1)
    report["qat"] = int8_figures(nets, spoilt, learnt, flavour, validation)
    return report | {"won_back": won_back(report)}


def won_back(report: Mapping[str, Any]) -> dict[str, float]:
    """The share of what each post-training quantisation lost that the training won back, as meant, by PSNR."""
    best, trained = report["float32"]["psnr_db"], report["qat"]["simulated"]["psnr_db"]
    lost = {name: best - row["simulated"]["psnr_db"] for name, row in report["ptq"].items()}
    return {name: round(1 - (best - trained) / loss, 2) for name, loss in lost.items()}


def conditions(config: Path, data_dir: Path) -> dict[str, Any]:
    """What the figures hold for."""
    facts, settings = read_facts(), read_config(config)
    return {
        "cpu": facts.cpu_model or facts.machine,
        "int8_features": list(facts.cpu_features or ()),  # none: u8 x s8 sums may saturate in ONNX Runtime's kernels
        "threads": torch.get_num_threads(),
        "load_average_before": [round(load, 2) for load in os.getloadavg()],
        "versions": {"python": platform.python_version(), "edge-sr": __version__}
        | {name: version(name) for name in PACKAGES},
        "bundle_sha256": Bundle.open(default_bundle()).sha256,
        "data_manifest_sha256": file_sha256(listing(data_dir)),
        "split": "validation",
        "fidelity": 1.0,
        "steps_of_the_sampler": 1,
        "spoilt": {"factor": FACTOR, "every_nth_channel": EVERY},
        "schedule": asdict(table_as(Schedule, settings, "schedule")),
        "qat": asdict(table_as(QatSettings, settings, "qat")),
    }


def as_text(report: Mapping[str, Any]) -> str:
    """The report for people."""
    rows: dict[str, Figures] = {
        "bicubic, projected": {"simulated": report["bicubic_projected"]},
        "float32": {"simulated": report["float32"]},
        "INT8 before it was spoilt": report["ptq_before_it_was_spoilt"],
        **{f"INT8, calibrated by {name}": figures for name, figures in report["ptq"].items()},
        "INT8, trained": report["qat"],
    }
    lines = [f"{'':36}{'PSNR dB':>10}{'to float32':>12}{'PSNR dB here':>14}"]
    for name, figures in rows.items():
        meant, here = figures["simulated"], figures.get("onnxruntime", {})
        lines.append(
            f"{name:36}{meant['psnr_db']:>10}{meant.get('to_float32_db', ''):>12}{here.get('psnr_db', ''):>14}"
        )
    training = report["training"]
    return "\n".join([*lines, f"training: {training['minutes']} minutes, {training['cpu_minutes']} of them of a core"])


@click.command()
@data_option
@click.option("--config", type=click.Path(path_type=Path), default=CONFIG, help="Of the training.")
@click.option(
    "--runs", type=click.Path(path_type=Path), help="Keep bundle and training here; else in a passing folder."
)
@click.option("--out", type=click.Path(path_type=Path), default=Path("benchmarks/results/qat.json"), show_default=True)
def command(data: Path, config: Path, runs: Path | None, out: Path) -> None:
    """Spoil the default model, quantise it with and without training, and write the figures."""
    given = conditions(config, data)
    with tempfile.TemporaryDirectory() as folder:
        report = recovery(config, data, (runs or Path(folder)).absolute())
    date = datetime.now(timezone.utc).isoformat(timespec="seconds")
    record = {"schema_version": 1, "benchmark": "qat", "date": date, "conditions": given, **report}
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, (json.dumps(record, indent=2) + "\n").encode(), overwrite=True)
    click.echo(as_text(report))
    click.echo(f"written to {out}")


if __name__ == "__main__":
    sys.exit(guarded(lambda: command(standalone_mode=False)))
