"""``edge-sr-host export``: trained networks become ONNX files, one composed graph, and a bundle.

Every file is checked in ONNX Runtime against PyTorch before it is packed. The nets that an evaluation compares with
(the regression and the HR encoder) are written beside it, not into it: a device has no use for them.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Mapping
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
from edge_sr.artifacts.manifest import DiffusionSpec, InputSpec, Manifest, NetworkFile, SamplerDefaults
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.cli.lazy_group import examples
from edge_sr.errors import IntegrityError
from edge_sr.image.consistency import project
from edge_sr.tensors import TensorSpec
from host_training.data.protocol import listing
from host_training.loop import CONFIGS, load_weights, read_config
from host_training.model_card import model_card
from host_training.nets.edge_model import EdgeModel
from host_training.nets.feedforward import FeedForward

OPSET = 20
TILE, SCALE, LATENT_STRIDE = 64, 4, 2
TOLERANCE = 1e-4  # of the largest output, between PyTorch and ONNX Runtime, both float32
INTENDED_USE = (
    "Research on super-resolution of frontal chest radiographs whose pixels are area means of a finer picture. "
    "Not for diagnostic use."
)


@click.command(
    epilog=examples(
        "edge-sr-host export --runs runs -o bundle",
        "edge-sr-host export --runs runs -o bundle --baselines benchmarks/baselines",
        "edge-sr-host export --runs runs -o bundle --evaluation evaluation/metrics.json --overwrite",
    )
)
@click.option("--runs", type=click.Path(path_type=Path, exists=True), default=Path("runs"), show_default=True)
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The bundle, a new folder.")
@click.option("--name", default="cxr-x4-edge", show_default=True)
@click.option("--steps", type=click.IntRange(1, 8), default=1, show_default=True, help="Steps of the composed graph.")
@click.option("--fidelity", type=click.FloatRange(0, 1), default=1.0, show_default=True, help="Default of the bundle.")
@click.option("--data", type=click.Path(path_type=Path), envvar="EDGE_SR_DATA", help="Its MANIFEST.csv is recorded.")
@click.option("--evaluation", type=click.Path(path_type=Path, exists=True), help="metrics.json of this model.")
@click.option(
    "--baselines", type=click.Path(path_type=Path), help="Also write regression.onnx and hr_encoder.onnx here."
)
@click.option("--overwrite", is_flag=True, help="Replace an existing bundle.")
def export(
    runs: Path,
    out: Path,
    name: str,
    steps: int,
    fidelity: float,
    data: Path | None,
    evaluation: Path | None,
    baselines: Path | None,
    overwrite: bool,
) -> None:
    """Make a bundle from RUNS/autoencoder and RUNS/diffusion."""
    settings = read_config(CONFIGS / "diffusion.toml")
    model = trained_model(runs, settings)
    record = json.loads(evaluation.read_text()) if evaluation else {}
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".export-") as folder:
        staging = Path(folder) / "bundle"
        networks = export_networks(model, staging, steps=steps)
        training_record(runs, staging)
        manifest = Manifest(
            name=name,
            version=__version__,
            family="latent_diffusion",
            scale=SCALE,
            input=InputSpec(channels=1, degradation="area", tile=TILE),
            diffusion=DiffusionSpec(
                **settings["diffusion"], prediction_type="sample", latent_channels=4, latent_stride=LATENT_STRIDE
            ),
            sampler=SamplerDefaults("ddim", num_inference_steps=steps, fidelity=fidelity, seed=0),
            networks=networks,
            intended_use=INTENDED_USE,
            evaluation=record,
            provenance=provenance(runs, data),
        )
        (staging / "MODEL_CARD.md").write_text(model_card(manifest))
        bundle = write_bundle(out, staging=staging, manifest=manifest, overwrite=overwrite)
    click.echo(f"{out}: {sum(f.stat().st_size for f in out.rglob('*') if f.is_file()) / 1e6:.1f} MB, {bundle.sha256}")
    if baselines:
        export_baselines(model, runs, baselines)


def trained_model(runs: Path, settings: dict[str, Any]) -> EdgeModel:
    """The networks with the averaged weights of the last finished stage."""
    model = EdgeModel(settings)
    load_weights(runs / "autoencoder" / "weights.safetensors", hr_encoder=model.hr_encoder)
    joint = runs / "diffusion" / "joint" / "weights.safetensors"
    load_weights(joint, encoder=model.encoder, denoiser=model.denoiser, decoder=model.decoder)
    return model


def export_networks(model: EdgeModel, staging: Path, *, steps: int) -> dict[str, NetworkFile]:
    """Encoder, denoiser, decoder and the composed graph under staging/onnx, each checked."""
    folder = staging / "onnx"
    folder.mkdir(parents=True)
    lr, latents = torch.rand(2, 1, TILE, TILE), torch.randn(2, 4, TILE // LATENT_STRIDE, TILE // LATENT_STRIDE)
    cond = model.encoder(lr).detach()
    timestep = torch.tensor([len(model.alphas_cumprod) - 1])
    to_onnx(model.encoder, folder / "encoder.onnx", {"lr": lr}, "cond")
    to_onnx(
        model.denoiser,
        folder / "denoiser.onnx",
        {"latents": latents, "cond": cond, "timestep": timestep},
        "prediction",
    )
    to_onnx(model.decoder, folder / "decoder.onnx", {"latents": latents, "lr": lr}, "sr")
    parts = [onnx.load(folder / f"{role}.onnx") for role in ("encoder", "denoiser", "decoder")]
    onnx.save(compose(*parts, table=model.table(steps), scale=SCALE), folder / "upscale.onnx")
    with torch.no_grad():
        plain = model.decoder(model.unroll(latents, model.encoder(lr), model.table(steps)), lr)
    expected = torch.from_numpy(project(plain.numpy(), lr.numpy(), scale=SCALE))
    check(folder / "upscale.onnx", {"lr": lr, "noise": latents}, expected)
    return {role: network_file(folder / f"{role}.onnx") for role in ("encoder", "denoiser", "decoder", "upscale")}


def to_onnx(net: nn.Module, path: Path, feeds: Mapping[str, Tensor], output: str) -> None:
    """Write one network with a free batch axis, and hold it against PyTorch."""
    net.eval()
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
    with torch.no_grad():
        check(path, feeds, net(*feeds.values()))


def check(path: Path, feeds: Mapping[str, Tensor], expected: Tensor) -> None:
    """IntegrityError where ONNX Runtime does not compute what PyTorch did."""
    with OnnxRuntime(threads=1).open(path) as session:
        (got,) = session.run({name: value.numpy() for name, value in feeds.items()}).values()
    error = float(np.abs(got - expected.numpy()).max()) / float(expected.abs().max())
    if not error <= TOLERANCE:
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


def training_record(runs: Path, staging: Path) -> None:
    """The configurations and the validation figures of each stage, under staging/training."""
    folder = staging / "training"
    folder.mkdir()
    for config in ("autoencoder", "feedforward", "diffusion"):
        (folder / f"{config}.toml").write_bytes((CONFIGS / f"{config}.toml").read_bytes())
    log = {
        stage: [json.loads(line) for line in (runs / stage / "metrics.jsonl").read_text().splitlines()]
        for stage in ("autoencoder", "feedforward", "diffusion/latent", "diffusion/distil", "diffusion/joint")
    }
    kept = {
        stage: [record for record in lines if record["step"] % 500 == 0 or record["step"] == lines[-1]["step"]]
        for stage, lines in log.items()
    }
    (folder / "log.json").write_text(json.dumps(kept, indent=1) + "\n")


def provenance(runs: Path, data: Path | None) -> dict[str, object]:
    """Where the weights came from."""
    weights = runs / "diffusion" / "joint" / "weights.safetensors"
    record: dict[str, object] = {
        "code_version": __version__,
        "weights_sha256": file_sha256(weights),
        "training_data": "NIH ChestX-ray14 (Wang et al. 2017), training split of the protocol in docs/training.md",
    }
    if data:
        record["data_manifest_sha256"] = file_sha256(listing(data))
    return record


def export_baselines(model: EdgeModel, runs: Path, folder: Path) -> None:
    """The nets that ``edge-sr-host evaluate`` compares with."""
    folder.mkdir(parents=True, exist_ok=True)
    regression = FeedForward(**read_config(CONFIGS / "feedforward.toml")["generator"])
    load_weights(runs / "feedforward" / "weights.safetensors", generator=regression)
    to_onnx(regression, folder / "regression.onnx", {"lr": torch.rand(2, 1, TILE, TILE)}, "sr")
    to_onnx(
        model.hr_encoder, folder / "hr_encoder.onnx", {"hr": torch.rand(2, 1, TILE * SCALE, TILE * SCALE)}, "latents"
    )
