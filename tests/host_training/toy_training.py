"""A training of seconds, with convolutions, moments and random numbers as in earnest.

As a program: ``python -m tests.host_training.toy_training [--until N] [--kill-at N] [--rival] FOLDER KEY=VALUE ...``
"""

from __future__ import annotations

import argparse
import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from edge_sr.errors import UsageError
from host_training.data.crops import crop_batch
from host_training.loop import Schedule, Trainer, load_weights
from host_training.losses import adversarial_loss
from host_training.nets.autoencoder import Decoder, HREncoder
from host_training.nets.unet_discriminator import UNetDiscriminator

PLAN = {"steps": 8, "batch": 2, "crop": 32, "learning_rate": 1e-3, "warmup": 3, "precision": "fp32"}


def schedule(**changes: object) -> Schedule:
    return Schedule(**{**PLAN, "checkpoint_every": 3, **changes})  # type: ignore[arg-type]


def nets(width: int = 8, *, seed: int = 0) -> dict[str, nn.Module]:
    """Autoencoder whose first weights ``seed`` decides."""
    torch.manual_seed(seed)
    return {"hr_encoder": HREncoder(width), "decoder": Decoder(width, 1)}


def trained(
    folder: Path,
    *,
    until: int | None = None,
    plan: Schedule | None = None,
    width: int = 8,
    kill_at: int | None = None,
    seed: int = 0,
    scores: Mapping[int, float] | None = None,
    rival: bool = False,
) -> Trainer:
    """An autoencoder on noise, with noise on its latents.

    kill_at: the process kills itself in the middle of this step. seed: of the first weights. scores: a figure that
    validation has, by step. rival: with a discriminator, against which the autoencoder learns too.
    """
    learnt = nets(width, seed=seed)
    judge = UNetDiscriminator(1, width=4)
    trainer = Trainer(folder, learnt, plan or schedule(), opponent={"judge": judge} if rival else None)
    made: dict[int, tuple[Tensor, Tensor]] = {}
    hr = np.random.default_rng(0).integers(0, 256, (2, 256, 256), np.uint8)

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        if step == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        truth, lr = map(torch.from_numpy, crop_batch(hr, seed=0, step=step, samples=trainer.samples, size=32))
        latents = learnt["hr_encoder"](truth)
        noisy = latents + trainer.normal(step, *latents.shape[1:])
        sr = learnt["decoder"](noisy, lr)
        made[trainer.part] = truth, sr.detach()
        if trainer.part == 0:
            judge.estimate_norms()
        against = 0.01 * adversarial_loss(judge(sr), real=True) if rival else 0.0
        return (sr - truth).square().mean() + against, {"mean": latents.mean().item()}

    def judges_loss(step: int) -> tuple[Tensor, dict[str, float]]:
        truth, sr = made[trainer.part]
        return adversarial_loss(judge(truth), real=True) + adversarial_loss(judge(sr), real=False), {}

    def validate() -> dict[str, float]:
        score = {"score": scores.get(trainer.step, 0.0)} if scores else {}
        return {"weight": weight_of(learnt), **score}

    trainer.run(loss_of, validate=validate, until=until, opponent_loss=judges_loss if rival else None)
    return trainer


def weight_of(learnt: dict[str, nn.Module]) -> float:
    """A figure to validate."""
    return sum(float(value.detach().double().abs().sum()) for value in learnt["decoder"].parameters())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--until", type=int)
    parser.add_argument("--kill-at", type=int)
    parser.add_argument("--rival", action="store_true")
    parser.add_argument("changes", nargs="*")
    given = parser.parse_args()
    changes = {name: json.loads(value) for name, value in (change.split("=") for change in given.changes)}
    rank = int(os.environ.get("RANK", "0"))
    # only the main process starts from the weights that count
    trainer = trained(
        given.folder, until=given.until, kill_at=given.kill_at, plan=schedule(**changes), seed=rank, rival=given.rival
    )
    report = {"rank": rank, "refusal": refusal(given.folder, trainer), "cache": cached(given.folder, trainer)}
    report["weights"] = load_weights(given.folder / "weights.safetensors", **nets())
    (given.folder / f"rank-{rank}.json").write_text(json.dumps(report))


def refusal(folder: Path, trainer: Trainer) -> str:
    """What is said of a batch that these processes cannot share."""
    try:
        Trainer(folder, nets(), schedule(batch=trainer.processes.count + 1))
    except UsageError as error:
        return str(error)
    return ""


def cached(folder: Path, trainer: Trainer) -> str:
    """Who filled a cache that all processes use."""
    path = folder / "cache.txt"
    with trainer.main_first():
        if not path.is_file():
            path.write_text(str(trainer.processes.rank))
        return path.read_text()


if __name__ == "__main__":
    main()
