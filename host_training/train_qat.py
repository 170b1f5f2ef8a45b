"""Quantisation-aware training of the model of a bundle: ``edge-sr-host train qat``.

For a model whose INT8 graph is too far from float32. It goes on from the bundle's weights while the networks compute as
the INT8 graph will (``host_training/fake_quant.py``), learns the ranges of the activations with them, and is judged by
the float32 model's own pictures, and a little by the truth.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import ModelProto, numpy_helper
from torch import Tensor, nn

from build_engines.compose import compose
from build_engines.quantize import Placement, placement
from edge_sr.artifacts.bundle import Bundle
from edge_sr.diffusion.samplers import SamplerTable
from host_training.data.crops import hr_stack, load_pictures, unit
from host_training.data.protocol import lr_of
from host_training.fake_quant import FakeQuantised, LearntRanges, Observed
from host_training.from_bundle import load_onnx_weights
from host_training.loop import Config, LossOf, Schedule, Trainer, part_of, read_config
from host_training.losses import picture_distance
from host_training.nets.autoencoder import LATENT_CHANNELS
from host_training.nets.edge_model import EdgeModel
from host_training.ranges_file import write_ranges
from host_training.settings import table_as
from host_training.train_diffusion import STEP_COUNTS, drawn, training_pair
from host_training.validation import psnr_of, validation_pairs

ROLES = ("encoder", "denoiser", "decoder")
OBSERVED_FIDELITIES = (1.0, 0.5, 0.0)


@dataclass(frozen=True)
class QatSettings:
    """The table [qat] of a configuration. tail: of the first ranges, see ``fake_quant.Observed``."""

    flavour: str = "onnxruntime"
    calibration_pictures: int = 8
    tail: float = 0.0


@dataclass(frozen=True)
class QatLoss:
    """The table [loss]: weights of the distances to the float32 model's picture and to the truth; squared: see
    ``losses.picture_distance``."""

    float32: float = 1.0
    truth: float = 0.3
    squared: float = 100.0


def train_qat(config: Config, *, data_dir: Path, out: Path, bundle: Path, until: int | None = None) -> None:
    """Weights of encoder, denoiser and decoder into ``out``, and ranges.json beside them."""
    settings = read_config(config)
    qat, weights = table_as(QatSettings, settings, "qat"), table_as(QatLoss, settings, "loss")
    plan = table_as(Schedule, settings, "schedule")
    start = Bundle.open(bundle)
    float32, origin = model_of(start, settings)
    nets, _ = model_of(start, settings)
    parts = parts_of(start)
    places = {steps: placement(composed(parts, nets.table(steps)), qat.flavour) for steps in STEP_COUNTS}
    pictures = load_pictures(data_dir, "train", cache_dir=out.parent)  # the first ranges are observed on some of them
    lr = calibration_lr(pictures, qat.calibration_pictures)
    int8 = QuantisedModel(nets, observed_ranges(nets, places, lr, tail=qat.tail))

    trainer = Trainer(out, int8.learnt(), plan, origin=f"{origin} {qat.flavour}")
    for net in float32.learnt(decoder=True).values():
        net.requires_grad_(False).to(trainer.device)
    loss = qat_loss(int8, float32, trainer, pictures, weights)
    trainer.run(loss, validate=figures(int8, float32, trainer, data_dir, out.parent), until=until)
    if trainer.processes.main:
        write_learnt_ranges(out / "ranges.json", int8.ranges, trainer.average)


def model_of(bundle: Bundle, settings: dict[str, Any]) -> tuple[EdgeModel, str]:
    """The bundle's networks in PyTorch, and the hash of their files."""
    nets = EdgeModel(settings)
    hashes = [load_onnx_weights(bundle.path(role), getattr(nets, role)) for role in ROLES]
    return nets, hashlib.sha256("".join(hashes).encode()).hexdigest()


def parts_of(bundle: Bundle) -> dict[str, ModelProto]:
    """The bundle's networks as they are, by role."""
    return {role: onnx.load(bundle.path(role)) for role in ROLES}


def filled(model: ModelProto, network: nn.Module) -> ModelProto:
    """The same graph with the weights that the network has now; what it calls its tensors stays."""
    new = ModelProto()
    new.CopyFrom(model)
    weights = network.state_dict()
    for tensor in new.graph.initializer:
        if tensor.name in weights:
            value = weights[tensor.name].detach().cpu().contiguous().numpy()
            tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
    return new


def composed(parts: Mapping[str, ModelProto], table: SamplerTable) -> ModelProto:
    """The networks as one graph of these steps."""
    return compose(*(parts[role] for role in ROLES), table=table)


def calibration_lr(pictures: np.ndarray, count: int) -> Tensor:
    """(n, S, S) uint8 -> (count, 1, 64, 64) in [0, 1], spread evenly over the pictures."""
    chosen = hr_stack(pictures[:: max(1, len(pictures) // count)][:count])
    return torch.from_numpy(unit(lr_of(chosen[:, None])))


@torch.no_grad()
def observed_ranges(
    nets: EdgeModel, places: Mapping[int, Placement], lr: Tensor, *, tail: float = 0.0
) -> dict[int, LearntRanges]:
    """The ranges of the float32 chain, for each number of steps; tail: see ``Observed``."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn((len(lr), LATENT_CHANNELS, lr.shape[2] // 2, lr.shape[3] // 2), generator=generator)
    ranges = {}
    for steps, wanted in places.items():
        seen: dict[str, tuple[float, float]] = {}
        for fidelity in OBSERVED_FIDELITIES:
            with Observed(nets.learnt(decoder=True), wanted, seen, tail=tail):
                nets.upscale(lr, noise * (1 - fidelity), nets.table(steps))
        ranges[steps] = LearntRanges(wanted, seen)
    return ranges


@dataclass(frozen=True)
class QuantisedModel:
    """The networks, and for each number of steps the ranges of their activations."""

    nets: EdgeModel
    ranges: Mapping[int, LearntRanges]

    def learnt(self) -> dict[str, nn.Module]:
        """All that is trained, under the names of the weights file."""
        ranges = nn.ModuleDict({str(steps): learnt for steps, learnt in self.ranges.items()})
        return {**self.nets.learnt(decoder=True), "ranges": ranges}

    def upscale(self, lr: Tensor, noise: Tensor, table: SamplerTable) -> Tensor:
        """``EdgeModel.upscale`` as the INT8 graph of these steps computes it."""
        with FakeQuantised(self.nets.learnt(decoder=True), self.ranges[len(table.timesteps)]):
            return self.nets.upscale(lr, noise, table)


def qat_loss(
    int8: QuantisedModel, float32: EdgeModel, trainer: Trainer, pictures: np.ndarray, weights: QatLoss
) -> LossOf:
    """The distance to the float32 model's picture of the same noise, and at fidelity 1 to the truth as well.

    Below fidelity 1 a picture is one sample of many: the truth would teach it to average them.
    """
    distance = partial(picture_distance, squared=weights.squared)

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        truth, lr = training_pair(trainer, pictures, step)
        fidelity, table = drawn(float32, trainer, step)
        noise = trainer.normal(step, LATENT_CHANNELS, lr.shape[2] // 2, lr.shape[3] // 2) * (1 - fidelity)
        with torch.no_grad():
            wanted = float32.upscale(lr, noise, table)
        sr = int8.upscale(lr, noise, table)
        apart = distance(sr, wanted)
        loss = weights.float32 * apart + weights.truth * fidelity * distance(sr, truth)
        return loss, {"fidelity": fidelity, "float32": apart.item()}

    return loss_of


def figures(
    int8: QuantisedModel, float32: EdgeModel, trainer: Trainer, data_dir: Path, cache_dir: Path
) -> Callable[[], dict[str, float]]:
    """Validation at one step and both ends of the fidelity knob: PSNR against the truth (also that of float32), and
    against float32's picture."""

    @torch.no_grad()
    def validate() -> dict[str, float]:
        truth, lr = validation_pairs(data_dir, cache_dir, trainer.device)
        sample = torch.randn((len(lr), LATENT_CHANNELS, 32, 32), generator=trainer.generator(0)).to(trainer.device)
        table, at = float32.table(1), {}
        for end, noise in ((1, torch.zeros_like(sample)), (0, sample)):
            wanted, sr = float32.upscale(lr, noise, table), int8.upscale(lr, noise, table)
            at[f"psnr_{end}"], at[f"psnr_{end}_float32"] = psnr_of(sr, truth), psnr_of(wanted, truth)
            at[f"to_float32_{end}"] = psnr_of(sr, wanted)
        return at

    return validate


def write_learnt_ranges(path: Path, ranges: Mapping[int, LearntRanges], average: Mapping[str, Tensor]) -> None:
    """The averaged ranges, which belong to the averaged weights."""
    tables = {}
    for steps, learnt in ranges.items():
        averaged = copy.deepcopy(learnt)
        averaged.load_state_dict(part_of(average, f"ranges.{steps}"))
        tables[steps] = averaged.by_tensor()
    flavour = next(iter(ranges.values())).places.flavour.name
    write_ranges(path, tables, flavour=flavour, sampler="ddim")
