"""A model made bad for quantisation on purpose, and what training wins back: the small version, on phantoms."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from edge_sr.artifacts.bundle import Bundle
from host_training.nets.edge_model import EdgeModel
from host_training.qat_recovery import as_text, spoiled_bundle, won_back
from host_training.train_qat import model_of, train_qat
from tests.host_training.qat.test_fake_quant import drawn
from tests.host_training.qat.thin import CONFIG, SETTINGS

LONGER = "steps = 60\nema = 0.9\ncheckpoint_every = 60\nlog_every = 60\n"


@pytest.fixture(scope="module")
def spoilt(thin_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return spoiled_bundle(thin_bundle, SETTINGS, tmp_path_factory.mktemp("spoilt") / "bundle")


@torch.no_grad()
def test_in_float32_nothing_changes(thin_bundle: Bundle, spoilt: Bundle) -> None:
    lr, noise = drawn()
    pictures = []
    for bundle in (thin_bundle, spoilt):
        nets, _ = model_of(bundle, SETTINGS)
        pictures.append(nets.upscale(lr, noise, nets.table(2)))
    assert float((pictures[0] - pictures[1]).abs().max()) < 1e-4


def test_every_block_is_spoilt(thin_model: EdgeModel, spoilt: Bundle) -> None:
    nets, _ = model_of(spoilt, SETTINGS)
    for role in ("encoder", "denoiser", "decoder"):
        before, after = getattr(thin_model, role).state_dict(), getattr(nets, role).state_dict()
        changed = {name for name in before if not torch.equal(before[name], after[name])}
        inside = {name for name in before if name.endswith(("conv1.weight", "conv1.bias", "conv2.weight", "time.bias"))}
        assert changed == inside


def test_training_wins_back_what_calibration_loses(
    thin_bundle: Bundle, spoilt: Bundle, data_dir: Path, tmp_path: Path
) -> None:
    to_float32 = {}
    for name, bundle, steps in (("healthy", thin_bundle, 1), ("spoilt", spoilt, 1), ("trained", spoilt, 60)):
        config = tmp_path / f"{name}.toml"
        longer = LONGER.replace("steps = 60", f"steps = {steps}")
        plan = CONFIG.replace("steps = 4\n", longer).replace("checkpoint_every = 2\n", "").replace("1e-4", "1e-3")
        config.write_text(plan.replace("[qat]", "[qat]\ntail = 0.02" if name != "healthy" else "[qat]"))
        train_qat(config, data_dir=data_dir, out=tmp_path / name, bundle=bundle.folder)
        lines = [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        to_float32[name] = lines[-1]["validation_to_float32_1"]
    assert to_float32["spoilt"] < to_float32["healthy"] - 6
    assert to_float32["trained"] > to_float32["spoilt"] + 3


def row(psnr_db: float) -> dict[str, dict[str, float]]:
    return {name: {"psnr_db": psnr_db, "to_float32_db": 40.0} for name in ("simulated", "onnxruntime")}


def test_what_was_won_back_is_a_share_of_what_was_lost() -> None:
    report = {
        "float32": {"psnr_db": 35.0},
        "bicubic_projected": {"psnr_db": 33.0},
        "ptq_before_it_was_spoilt": row(34.9),
        "ptq": {"min_max": row(33.0), "99_percent": row(34.0)},
        "qat": row(34.5),
        "training": {"minutes": 2.0, "cpu_minutes": 1.5},
    }
    assert won_back(report) == {"min_max": 0.75, "99_percent": 0.5}
    table = as_text(report)
    assert all(name in table for name in ("float32", "before it was spoilt", "min_max", "99_percent", "INT8, trained"))
