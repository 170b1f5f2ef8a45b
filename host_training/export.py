"""``edge-sr-host export``: trained networks become ONNX files, one composed graph, and a bundle.

Every file is checked in ONNX Runtime against PyTorch before it is packed. The nets that an evaluation compares with
(the regression and the HR encoder) are written beside it, not into it: a device has no use for them.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
import torch
from torch import Tensor, nn

from build_engines.compose import compose, shape_of
from edge_sr import __version__
from edge_sr.artifacts.bundle import file_sha256, write_bundle
from edge_sr.artifacts.manifest import InputSpec, Manifest, NetworkFile
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.cli.lazy_group import examples
from edge_sr.diffusion.samplers import sample
from edge_sr.errors import IntegrityError, UsageError
from edge_sr.image.consistency import ROUNDS, project
from edge_sr.tensors import TensorSpec
from host_training.data.protocol import listing
from host_training.evaluation.record import condensed, read_record
from host_training.loop import CONFIGS, load_weights, read_config
from host_training.model_card import model_card
from host_training.nets.feedforward import FeedForward
from host_training.random_weights import CONFIG
from host_training.random_weights import random_weights as drawn
from host_training.trained import LATENT_STRIDE, MODES, Trained, refuse_steps

OPSET = 20
TILE, SCALE = 64, 4
TOLERANCE = 1e-4  # of the largest output, between PyTorch and ONNX Runtime, both float32
# PyTorch's GroupNorm on a CPU: 3e-4 off float64 in one layer over a whole picture, where ONNX Runtime is 3e-6 off.
NORMALISED_TOLERANCE = 2e-3
RANDOM = "random"  # as the bundle calls itself, in its name and its version
INTENDED_USE = {
    degradation: f"Research on super-resolution of frontal chest radiographs whose pixels are {made}. "
    "Not for diagnostic use."
    for degradation, made in (
        ("area", "area means of a finer picture"),
        ("cubic", "interpolated from a finer picture, bicubic without antialiasing"),
    )
}
NO_USE = "Measuring what building and running such networks costs: the weights are random, the pictures mean nothing."


@click.command(
    epilog=examples(
        "edge-sr-host export --runs runs -o bundle",
        "edge-sr-host export --runs runs -o bundle --baselines benchmarks/baselines",
        "edge-sr-host export --runs runs -o bundle --evaluation evaluation/metrics.json --overwrite",
        "edge-sr-host export --mode paper --runs runs -o published",
        "edge-sr-host export --mode paper --random-weights -o published",
    )
)
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True)
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The bundle, a new folder.")
@click.option(
    "--mode",
    type=click.Choice(list(MODES)),
    default="edge",
    show_default=True,
    help="edge: RUNS/autoencoder and RUNS/diffusion. refined: RUNS/refine. paper: RUNS/paper, the published system.",
)
@click.option("--random-weights", is_flag=True, help="Of mode paper: no training at all, the pictures mean nothing.")
@click.option("--seed", type=click.IntRange(min=0), help="Of the random weights.  [default: 0]")
@click.option("--name", help="[default: cxr-x4-MODE]")
@click.option("--steps", type=click.IntRange(1, 8), help="Steps of the composed graph.  [default: 1]")
@click.option("--fidelity", type=click.FloatRange(0, 1), help="Default of the bundle.  [default: edge 1, paper 0]")
@click.option("--data", type=click.Path(path_type=Path), envvar="EDGE_SR_DATA", help="Its MANIFEST.csv is recorded.")
@click.option("--evaluation", type=click.Path(path_type=Path, exists=True), help="metrics.json of this model.")
@click.option(
    "--baselines",
    type=click.Path(path_type=Path),
    help="Also write hr_encoder.onnx here, and regression.onnx where RUNS/feedforward is.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing bundle.")
def export(
    runs: Path,
    out: Path,
    mode: str,
    random_weights: bool,
    seed: int | None,
    name: str | None,
    steps: int | None,
    fidelity: float | None,
    data: Path | None,
    evaluation: Path | None,
    baselines: Path | None,
    overwrite: bool,
) -> None:
    """Make a bundle from the trainings in RUNS."""
    trained = untrained(mode, steps, seed or 0) if random_weights else from_runs(mode, runs, steps, seed)
    record = condensed(read_record(evaluation)) if evaluation else {}
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".export-") as folder:
        staging = Path(folder) / "bundle"
        networks = export_networks(trained, staging)
        manifest = Manifest(
            name=name or f"cxr-x4-{mode}" + f"-{RANDOM}" * random_weights,
            version=__version__ + f"+{RANDOM}" * random_weights,
            family="latent_diffusion",
            scale=SCALE,
            input=InputSpec(channels=1, degradation=trained.degradation, tile=TILE),
            diffusion=trained.diffusion,
            sampler=trained.sampler if fidelity is None else replace(trained.sampler, fidelity=fidelity),
            networks=networks,
            intended_use=NO_USE if random_weights else INTENDED_USE[trained.degradation],
            evaluation=record,
            provenance=provenance(trained, None if random_weights else data),
        )
        for file, text in trained.files.items():
            (staging / "training").mkdir(exist_ok=True)
            (staging / "training" / file).write_text(text)
        (staging / "MODEL_CARD.md").write_text(model_card(manifest, trained.kind))
        bundle = write_bundle(out, staging=staging, manifest=manifest, overwrite=overwrite)
    click.echo(f"{out}: {sum(f.stat().st_size for f in out.rglob('*') if f.is_file()) / 1e6:.1f} MB, {bundle.sha256}")
    if baselines:
        export_baselines(trained, runs, baselines)


def from_runs(mode: str, runs: Path, steps: int | None, seed: int | None) -> Trained:
    """What was trained. UsageError where nothing was, and for options of random weights."""
    if seed is not None:
        raise UsageError("only random weights have one", where="--seed", hint="leave it out, or --random-weights")
    if not runs.exists():
        raise UsageError("no such folder", where=runs, expected="--runs with a training", hint="edge-sr-host train")
    return MODES[mode](runs, steps)


def untrained(mode: str, steps: int | None, seed: int) -> Trained:
    """The published system with random weights. UsageError for other modes and fewer steps."""
    if mode != "paper":
        raise UsageError("only the published system has them", where="--random-weights", expected="--mode paper")
    refuse_steps(steps)
    return drawn(read_config(CONFIGS / CONFIG), seed=seed)


def export_networks(trained: Trained, staging: Path) -> dict[str, NetworkFile]:
    """The networks under staging/onnx, each checked, and composed where the default sampler can be one graph."""
    folder = staging / "onnx"
    folder.mkdir(parents=True)
    lr, latents = torch.rand(2, 1, TILE, TILE), torch.randn(2, 4, TILE // LATENT_STRIDE, TILE // LATENT_STRIDE)
    with torch.no_grad():
        cond = trained.encoder(lr)
    timestep = torch.tensor([int(trained.table.timesteps[0])])
    to_onnx(trained.encoder, folder / "encoder.onnx", {"lr": lr}, "cond")
    to_onnx(
        trained.denoiser,
        folder / "denoiser.onnx",
        {"latents": latents, "cond": cond, "timestep": timestep},
        "prediction",
    )
    to_onnx(trained.decoder, folder / "decoder.onnx", {"latents": latents, "lr": lr}, "sr")
    roles = ["encoder", "denoiser", "decoder"]
    if trained.table.deterministic:
        parts = [onnx.load(folder / f"{role}.onnx") for role in roles]
        rounds = ROUNDS if trained.degradation == "area" else 0
        composed = compose(*parts, table=trained.table, scale=SCALE, projection_rounds=rounds)
        onnx.save(composed, folder / "upscale.onnx")
        check(folder / "upscale.onnx", {"lr": lr, "noise": latents}, staged(trained, lr, latents))
        roles.append("upscale")
    return {role: network_file(folder / f"{role}.onnx") for role in roles}


@torch.no_grad()
def staged(trained: Trained, lr: Tensor, noise: Tensor) -> Tensor:
    """What the composed graph has to compute, network by network in PyTorch."""
    cond = trained.encoder(lr)

    def denoise(z: np.ndarray, timestep: int) -> np.ndarray:
        return trained.denoiser(torch.from_numpy(z), cond, torch.tensor([timestep])).numpy()

    latents = torch.from_numpy(sample(trained.table, denoise, noise.numpy()))
    sr = trained.decoder(latents, lr).numpy()
    projected = project(sr, lr.numpy(), scale=SCALE) if trained.degradation == "area" else sr.clip(0, 1)
    return torch.from_numpy(projected)


def to_onnx(net: nn.Module, path: Path, feeds: Mapping[str, Tensor], output: str) -> None:
    """Write one network with a free batch axis, and hold it against PyTorch."""
    net.eval()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it tells of packages that are not needed here
    free = {0: torch.export.Dim("N")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about its own internals
        program = torch.onnx.export(
            net,
            tuple(feeds.values()),
            input_names=list(feeds),
            output_names=[output],
            opset_version=OPSET,
            dynamic_shapes=tuple(None if name == "timestep" else free for name in feeds),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    for container in (*proto.graph.node, *proto.graph.value_info, proto.graph):
        del container.metadata_props[:]  # stack traces with the paths of the machine that exported
        container.doc_string = ""
    onnx.save(proto, path)
    normalised = any(isinstance(layer, nn.GroupNorm) for layer in net.modules())
    with torch.no_grad():
        check(path, feeds, net(*feeds.values()), tolerance=NORMALISED_TOLERANCE if normalised else TOLERANCE)


def check(path: Path, feeds: Mapping[str, Tensor], expected: Tensor, *, tolerance: float = TOLERANCE) -> None:
    """IntegrityError where ONNX Runtime does not compute what PyTorch did."""
    with OnnxRuntime(threads=1).open(path) as session:
        (got,) = session.run({name: value.numpy() for name, value in feeds.items()}).values()
    error = float(np.abs(got - expected.numpy()).max()) / float(expected.abs().max())
    if not error <= tolerance:
        raise IntegrityError(f"differs from PyTorch by {error:.2e} of its largest value", where=path)


def network_file(path: Path) -> NetworkFile:
    """The manifest's entry of a network: its ports as the file itself names them."""
    proto = onnx.load(path)

    def specs(ports: Any) -> tuple[TensorSpec, ...]:
        return tuple(
            TensorSpec(
                p.name, tuple(shape_of(p)), onnx.helper.tensor_dtype_to_np_dtype(p.type.tensor_type.elem_type).name
            )
            for p in ports
        )

    opset = next(entry.version for entry in proto.opset_import if not entry.domain)
    return NetworkFile(f"onnx/{path.name}", opset, specs(proto.graph.input), specs(proto.graph.output))


def provenance(trained: Trained, data: Path | None) -> dict[str, object]:
    """Where the weights came from."""
    record: dict[str, object] = {"code_version": __version__, **trained.provenance}
    if data:
        record.setdefault("data_manifest_sha256", file_sha256(listing(data)))
    return record


def export_baselines(trained: Trained, runs: Path, folder: Path) -> None:
    """The nets that ``edge-sr-host evaluate`` compares with."""
    folder.mkdir(parents=True, exist_ok=True)
    hr = torch.rand(2, 1, TILE * SCALE, TILE * SCALE)
    to_onnx(trained.hr_encoder, folder / "hr_encoder.onnx", {"hr": hr}, "latents")
    if (runs / "feedforward").is_dir():
        regression = FeedForward(**read_config(CONFIGS / "feedforward.toml")["generator"])
        load_weights(runs / "feedforward" / "weights.safetensors", generator=regression)
        to_onnx(regression, folder / "regression.onnx", {"lr": torch.rand(2, 1, TILE, TILE)}, "sr")
