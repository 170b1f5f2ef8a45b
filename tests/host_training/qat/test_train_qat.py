"""Quantisation-aware training from a bundle to weights and ranges: phantoms, thin networks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from build_engines.quantize import insert_qdq, placement
from edge_sr.artifacts.bundle import Bundle, default_bundle
from edge_sr.errors import IntegrityError, UsageError
from host_training.fake_quant import LearntRanges
from host_training.loop import load_weights
from host_training.nets.edge_model import EdgeModel
from host_training.ranges_file import read_ranges, write_ranges
from host_training.train_qat import composed, filled, parts_of, train_qat
from tests.host_training.qat.test_fake_quant import drawn, networks, run, simulated
from tests.host_training.qat.thin import CONFIG, SETTINGS


def trained(
    bundle: Bundle, data_dir: Path, runs: Path, *, until: int | None = None, change: tuple[str, str] = ("", "")
) -> Path:
    """One training into runs/qat."""
    runs.mkdir(exist_ok=True)
    config = runs / "qat.toml"
    config.write_text(CONFIG.replace(*change))
    train_qat(config, data_dir=data_dir, out=runs / "qat", bundle=bundle.folder, until=until)
    return runs / "qat"


@pytest.fixture(scope="module")
def qat(thin_bundle: Bundle, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(thin_bundle, data_dir, tmp_path_factory.mktemp("runs"))


def test_it_leaves_weights_and_ranges(qat: Path, thin_bundle: Bundle, thin_model: EdgeModel) -> None:
    tensors = load_file(qat / "weights.safetensors")
    assert {name.partition(".")[0] for name in tensors} == {"encoder", "denoiser", "decoder", "ranges"}
    assert all(bool(value.isfinite().all()) for value in tensors.values())
    for steps in (1, 2, 4):
        flavour, ranges = read_ranges(qat / "ranges.json", steps=steps)
        places = placement(composed(parts_of(thin_bundle), thin_model.table(steps)), flavour)
        assert ranges.keys() == set(places.tensors)
        assert all(low <= 0 <= high for low, high in ranges.values())


def test_it_starts_from_the_bundle(qat: Path, thin_model: EdgeModel) -> None:
    tensors = load_file(qat / "weights.safetensors")
    for role, net in networks(thin_model).items():
        for name, value in net.state_dict().items():
            assert float((tensors[f"{role}.{name}"] - value).abs().max()) < 4 * 1.5e-4  # AdamW moves by about the rate


def test_weights_and_ranges_are_learnt(qat: Path, thin_model: EdgeModel) -> None:
    tensors = load_file(qat / "weights.safetensors")
    assert all(bool(value.any()) for name, value in tensors.items() if name == "ranges.1.growth")
    moved = [
        name for name, value in thin_model.decoder.state_dict().items() if (tensors[f"decoder.{name}"] != value).any()
    ]
    assert len(moved) == len(thin_model.decoder.state_dict())


def test_figures_compare_with_float32_and_with_the_truth(qat: Path) -> None:
    lines = [json.loads(line) for line in (qat / "metrics.jsonl").read_text().splitlines()]
    figures = {key for line in lines for key in line if key.startswith("validation_")}
    assert figures == {
        f"validation_{name}" for end in (0, 1) for name in (f"psnr_{end}", f"psnr_{end}_float32", f"to_float32_{end}")
    }


def test_it_resumes_exactly(qat: Path, thin_bundle: Bundle, data_dir: Path, tmp_path: Path) -> None:
    halfway = trained(thin_bundle, data_dir, tmp_path, until=2)
    assert (halfway / "ranges.json").read_bytes() != (qat / "ranges.json").read_bytes()
    whole = trained(thin_bundle, data_dir, tmp_path)
    one, other = load_file(whole / "weights.safetensors"), load_file(qat / "weights.safetensors")
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    assert (whole / "ranges.json").read_bytes() == (qat / "ranges.json").read_bytes()


@pytest.mark.parametrize("steps", [1, 2])
def test_the_learnt_graph_computes_what_was_trained(qat: Path, thin_bundle: Bundle, steps: int) -> None:
    """From the files alone, as an export and a build would go on."""
    model = EdgeModel(SETTINGS)
    load_weights(qat / "weights.safetensors", **networks(model))
    parts = {role: filled(part, networks(model)[role]) for role, part in parts_of(thin_bundle).items()}
    flavour, ranges = read_ranges(qat / "ranges.json", steps=steps)
    float32 = composed(parts, model.table(steps))
    places = placement(float32, flavour)
    lr, noise = drawn()
    got = run(insert_qdq(float32, ranges, places), {"lr": lr.numpy(), "noise": noise.numpy()})["sr"]
    expected = simulated(model, LearntRanges(places, ranges), steps, lr, noise)
    assert np.abs(got - expected).mean() < 1e-4  # sums are rounded, so here and there a code may differ by one
    assert np.abs(got - run(float32, {"lr": lr.numpy(), "noise": noise.numpy()})["sr"]).mean() > 2e-3


def test_another_flavour_is_another_training(qat: Path, thin_bundle: Bundle, data_dir: Path, tmp_path: Path) -> None:
    trained(thin_bundle, data_dir, tmp_path, until=1)
    with pytest.raises(IntegrityError, match="origin"):
        trained(thin_bundle, data_dir, tmp_path, change=("[qat]", '[qat]\nflavour = "tensorrt"'))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[qat]", '[qat]\nflavour = "openvino"'), "no such flavour: openvino"),
        (("[qat]", "[qat]\nflavor = 1"), "no such key: flavor"),
        (("[qat]", "[loss]\ntruth = 'much'\n[qat]"), "truth = 'much'"),
        (("steps = 4", "strides = 4"), "no such key: strides"),
    ],
)
def test_a_slip_in_the_configuration_is_told(
    thin_bundle: Bundle, data_dir: Path, tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        trained(thin_bundle, data_dir, tmp_path, change=change)


def test_the_bundle_of_another_configuration_is_refused(data_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="expected the network of this configuration"):
        trained(Bundle.open(default_bundle()), data_dir, tmp_path)


def test_no_bundle_is_told(thin_bundle: Bundle, data_dir: Path, tmp_path: Path) -> None:
    config = tmp_path / "qat.toml"
    config.write_text(CONFIG)
    with pytest.raises(UsageError, match="no such folder"):
        train_qat(config, data_dir=data_dir, out=tmp_path / "qat", bundle=tmp_path / "none")


# ranges.json


def test_ranges_survive_the_file_bit_by_bit(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=40).astype(np.float32)
    table = {f"t{i}": (float(-abs(low)), float(abs(high))) for i, (low, high) in enumerate(values.reshape(-1, 2))}
    write_ranges(tmp_path / "ranges.json", {1: table, 2: {}}, flavour="tensorrt", sampler="ddim")
    assert read_ranges(tmp_path / "ranges.json", steps=1) == ("tensorrt", table)


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (None, UsageError, "(?s)no such file.*edge-sr-host train qat"),
        ("{}", IntegrityError, "schema_version: field is missing"),
        ("half a fi", IntegrityError, "not the JSON"),
        ('{"schema_version": 2, "flavour": "tensorrt", "sampler": "ddim", "ranges": {}}', IntegrityError, "got 2"),
        ('{"schema_version": 1, "flavour": "ncnn", "sampler": "ddim", "ranges": {}}', IntegrityError, "got 'ncnn'"),
        (
            '{"schema_version": 1, "flavour": "tensorrt", "sampler": "ddim", "ranges": {"2": {}}}',
            UsageError,
            "no ranges for 1 steps; expected 2",
        ),
        (
            '{"schema_version": 1, "flavour": "tensorrt", "sampler": "ddim", "ranges": {"1": {"a": [2, 1]}}}',
            IntegrityError,
            r"ranges\.1\.a: got \[2, 1\]",
        ),
        (
            '{"schema_version": 1, "flavour": "tensorrt", "sampler": "ddim", "ranges": {"1": {"a": [1]}}}',
            IntegrityError,
            "two numbers",
        ),
    ],
)
def test_a_ranges_file_that_is_none_is_refused(
    tmp_path: Path, text: str | None, kind: type[Exception], message: str
) -> None:
    if text is not None:
        (tmp_path / "ranges.json").write_text(text)
    with pytest.raises(kind, match=message):
        read_ranges(tmp_path / "ranges.json", steps=1)
