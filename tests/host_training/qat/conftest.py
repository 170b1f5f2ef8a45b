"""A thin edge model, exported once, and pictures to train it on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch
from torch import nn

from build_engines.compose import compose
from build_engines.quantize import OUT_AXIS
from edge_sr.artifacts.bundle import Bundle, default_bundle, write_bundle
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.png import write_png
from host_training.nets.edge_model import EdgeModel
from host_training.to_onnx import network_file, to_onnx
from tests.build_engines.quantisable import exact_values, exact_weight
from tests.host_training.evaluation.toy_data import patients_of
from tests.host_training.qat.thin import SETTINGS

import numpy as np  # isort: skip


@pytest.fixture(scope="session")
def thin_model() -> EdgeModel:
    """Arithmetic in it is exact, see tests/build_engines/quantisable.py; whatever the timestep, it does the same."""
    torch.set_num_threads(1)
    rng, model = np.random.default_rng(0), EdgeModel(SETTINGS)
    with torch.no_grad():
        for net in (model.encoder, model.denoiser, model.decoder):
            for module in net.modules():
                if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                    axis = OUT_AXIS["Conv" if isinstance(module, nn.Conv2d) else "ConvTranspose"]
                    module.weight.copy_(torch.from_numpy(exact_weight(tuple(module.weight.shape), axis, rng)))
                    assert module.bias is not None
                    module.bias.copy_(torch.from_numpy(exact_values(len(module.bias), rng)))
                elif isinstance(module, nn.Linear):
                    module.weight.zero_()
                    module.bias.copy_(torch.from_numpy(exact_values(len(module.bias), rng)))
    return model


@pytest.fixture(scope="session")
def thin_bundle(thin_model: EdgeModel, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The same, exported as a bundle's networks are."""
    folder = tmp_path_factory.mktemp("thin")
    files = folder / "staging" / "onnx"
    files.mkdir(parents=True)
    lr, latents, cond = torch.rand(2, 1, 64, 64), torch.randn(2, 4, 32, 32), torch.randn(2, 8, 32, 32)
    feeds = {"latents": latents, "cond": cond, "timestep": torch.tensor([299])}
    to_onnx(thin_model.encoder, files / "encoder.onnx", {"lr": lr}, "cond")
    to_onnx(thin_model.denoiser, files / "denoiser.onnx", feeds, "prediction")
    to_onnx(thin_model.decoder, files / "decoder.onnx", {"latents": latents, "lr": lr}, "sr")
    parts = [onnx.load(files / f"{role}.onnx") for role in ("encoder", "denoiser", "decoder")]
    onnx.save(compose(*parts, table=thin_model.table(1)), files / "upscale.onnx")
    manifest = Bundle.open(default_bundle()).manifest
    networks = {role: network_file(files / f"{role}.onnx") for role in manifest.networks}
    manifest = replace(manifest, networks=networks, calibration=(), files={}, evaluation={}, provenance={})
    return write_bundle(folder / "bundle", staging=folder / "staging", manifest=manifest)


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three training and two validation pictures."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "nih").mkdir()
    rows = ["path,source,patient_id"]
    for split, count in (("train", 3), ("validation", 2)):
        for number, patient in zip(range(count), patients_of(split), strict=False):
            rows.append(f"nih/{split}-{number}.png,phantom,{patient}")
            write_png(folder / f"nih/{split}-{number}.png", chest_phantom(seed=len(rows)), text={})
    (folder / "MANIFEST.csv").write_text("\n".join(rows))
    return folder
