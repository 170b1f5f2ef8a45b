"""manifest.json: what is read, and how each kind of mistake is named."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from edge_sr.artifacts.manifest import (
    BETA_SCHEDULES,
    COMPOSED_SAMPLERS,
    PREDICTION_TYPES,
    SAMPLERS,
    parse_manifest,
)
from edge_sr.artifacts.strict_json import MAX_JSON_BYTES, parse_json
from edge_sr.errors import IntegrityError
from edge_sr.tensors import TensorSpec

TENSOR = {"name": "lr", "shape": ["N", 1, 64, 64], "dtype": "float32"}


def network(role: str) -> dict[str, Any]:
    file = f"onnx/{role}.onnx"
    return {"file": file, "sha256": "0" * 64, "opset": 20, "inputs": [TENSOR], "outputs": [{**TENSOR, "name": "out"}]}


LATENT: dict[str, Any] = {
    "format_version": 1,
    "name": "tiny",
    "version": "0.1.0",
    "family": "latent_diffusion",
    "scale": 4,
    "input": {"channels": 1, "range": [0, 1], "degradation": "area", "tile": 64},
    "diffusion": {
        "num_train_timesteps": 300,
        "beta_schedule": "linear",
        "beta_start": 1e-4,
        "beta_end": 0.02,
        "rescale_betas_zero_snr": True,
        "prediction_type": "sample",
        "latent_channels": 4,
        "latent_stride": 2,
    },
    "sampler": {"name": "ddim", "num_inference_steps": 1, "fidelity": 1.0, "seed": 0},
    "networks": {role: network(role) for role in ("encoder", "denoiser", "decoder", "upscale")},
    "calibration": [{"sampler": "ddim", "steps": 2, "file": "calibration/ddim-2.json", "checked": {"psnr_db": 0.01}}],
    "files": {"MODEL_CARD.md": "f" * 64, "calibration/ddim-2.json": "e" * 64},
    "evaluation": {"psnr_db": {"mean": 34.2}},
    "provenance": {},
    "intended_use": "Tests only.",
}
GENERATOR = {
    **{name: value for name, value in LATENT.items() if name not in ("diffusion", "sampler")},
    "family": "espcn",
    "calibration": [{"sampler": "feedforward", "steps": 1, "file": "calibration/ddim-2.json", "checked": {}}],
    "networks": {"generator": network("generator")},
}


def changed(path: str, value: object) -> dict[str, Any]:
    raw = copy.deepcopy(LATENT)
    *parents, name = path.split("/")
    owner = raw
    for parent in parents:
        owner = owner[parent]
    owner[name] = value
    return raw


STAGED = {
    **LATENT,
    "sampler": {"name": "ddpm", "num_inference_steps": 300, "fidelity": 0.0, "seed": 0},
    "networks": {role: net for role, net in LATENT["networks"].items() if role != "upscale"},
}


@pytest.mark.parametrize("raw", [LATENT, STAGED, GENERATOR], ids=["latent_diffusion", "ddpm", "espcn"])
def test_a_manifest_survives_reading_and_writing(raw: dict[str, Any]) -> None:
    manifest = parse_manifest(raw)
    assert manifest.to_json() == raw
    assert parse_manifest(parse_json(json.dumps(manifest.to_json()).encode(), "m")) == manifest


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("sampler", "euler", "calibration\\[0\\].sampler: got 'euler'"),
        ("steps", 301, "calibration\\[0\\].steps: got 301; expected an integer from 1 to 300"),
        ("file", "../table.json", "calibration\\[0\\].file"),
        ("file", "calibration/ddim-3.json", "files: calibration/ddim-3.json is not listed"),
        ("checked", [], "calibration\\[0\\].checked"),
    ],
)
def test_an_unfit_calibration_table_is_named(field: str, value: object, told: str) -> None:
    table = {**LATENT["calibration"][0], field: value}
    with pytest.raises(IntegrityError, match=told):
        parse_manifest(changed("calibration", [table]))


def test_fields_become_typed_values() -> None:
    manifest = parse_manifest(LATENT)
    assert manifest.networks["encoder"].inputs == (TensorSpec("lr", ("N", 1, 64, 64), "float32"),)
    assert manifest.hashes()["MODEL_CARD.md"] == "f" * 64
    assert manifest.hashes()["onnx/decoder.onnx"] == "0" * 64


def test_a_refusal_names_field_value_and_rule() -> None:
    with pytest.raises(IntegrityError) as caught:
        parse_manifest(changed("sampler/num_inference_steps", "two"), "b/manifest.json")
    expected = "b/manifest.json: sampler.num_inference_steps: got 'two'; expected an integer from 1 to 300"
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("name", "Tiny Net", "name: got 'Tiny Net'"),
        ("version", "one", "version"),
        ("family", "gan", "family: got 'gan'; expected latent_diffusion or espcn or rrdb"),
        ("family", ["gan"], "family"),
        ("scale", True, "scale: got True"),
        ("scale", 4.0, "scale: got 4.0"),
        ("input", [], r"input: got \[\]; expected a JSON object"),
        ("input/range", [False, True], "input.range"),
        ("input/degradation", "nearest", "input.degradation: got 'nearest'; expected area or cubic"),
        ("input/channels", True, "input.channels"),
        ("input/tile", 63, "input.tile: got 63; expected a multiple of diffusion.latent_stride, 2"),
        ("diffusion/beta_start", 0.5, "diffusion.beta_end: got 0.02; expected a number from 0.5 to 1"),
        ("diffusion/rescale_betas_zero_snr", 1, "diffusion.rescale_betas_zero_snr: got 1; expected true or false"),
        ("diffusion/prediction_type", "epsilon", "diffusion.prediction_type.*as rescale_betas_zero_snr is true"),
        ("sampler/num_inference_steps", 301, "sampler.num_inference_steps: got 301"),
        ("sampler/name", "euler", "sampler.name: got 'euler'; expected ddpm or ddim or dpmsolver"),
        ("sampler/name", "ddpm", "networks.upscale: unknown field"),  # noise at every step is no graph of (lr, noise)
        ("sampler/fidelity", 1.5, "sampler.fidelity"),
        ("sampler/seed", -1, "sampler.seed"),
        ("networks/encoder/opset", 21, "networks.encoder.opset: got 21; expected an integer from 19 to 20"),
        ("networks/encoder/sha256", "F" * 64, "networks.encoder.sha256"),
        ("networks/encoder/sha256", "0" * 64 + "\n", "networks.encoder.sha256"),
        ("networks/encoder/inputs", [], "networks.encoder.inputs: got"),
        ("networks/encoder/inputs", [TENSOR, TENSOR], "networks.encoder.inputs.*every name once"),
        ("networks/encoder/inputs", [{**TENSOR, "shape": [0, 1]}], r"networks.encoder.inputs\[0\].shape"),
        ("networks/encoder/inputs", [{**TENSOR, "dtype": "object"}], r"networks.encoder.inputs\[0\].dtype"),
        ("files/MODEL_CARD.md", None, "files.MODEL_CARD.md: got None"),
        ("provenance", "none", "provenance: got 'none'"),
        ("intended_use", "\x1b[2J", "intended_use"),
    ],
)
def test_an_unfit_field_is_refused_by_name(path: str, value: object, named: str) -> None:
    with pytest.raises(IntegrityError, match=rf"^manifest.json: {named}"):
        parse_manifest(changed(path, value))


def test_a_missing_field_is_named() -> None:
    raw = copy.deepcopy(LATENT)
    del raw["diffusion"]["beta_end"]
    with pytest.raises(IntegrityError, match=r"diffusion.beta_end: field is missing; expected a number"):
        parse_manifest(raw)


@pytest.mark.parametrize("path", ["licence", "sampler/eta", "networks/encoder/url", "networks/generator"])
def test_an_unknown_field_is_refused(path: str) -> None:
    with pytest.raises(IntegrityError, match=f"{path.replace('/', '.')}: unknown field"):
        parse_manifest(changed(path, {}))


def test_a_sampler_that_is_one_graph_has_that_graph() -> None:
    with pytest.raises(IntegrityError, match=r"networks.upscale: field is missing"):
        parse_manifest({**STAGED, "sampler": LATENT["sampler"]})


def test_a_feed_forward_family_has_no_sampler() -> None:
    with pytest.raises(IntegrityError, match="sampler: unknown field"):
        parse_manifest({**GENERATOR, "sampler": LATENT["sampler"]})


@pytest.mark.parametrize("version", [2, "1", 1.0, True, None])
def test_another_format_version_says_what_is_read(version: object) -> None:
    with pytest.raises(IntegrityError, match=r"format_version: got .*; expected 1, the only version that this release"):
        parse_manifest({"format_version": version, "all_else": "is new"})


PATHS_OUTSIDE = ["/x.onnx", "../x.onnx", "onnx/../../x.onnx", "onnx\\x.onnx", "C:x.onnx", "./x.onnx", "a//x.onnx", ""]


@pytest.mark.parametrize("file", PATHS_OUTSIDE)
def test_a_path_that_may_lead_outside_is_refused(file: str) -> None:
    with pytest.raises(IntegrityError, match=r"networks.encoder.file: got"):
        parse_manifest(changed("networks/encoder/file", file))
    with pytest.raises(IntegrityError, match="files: got"):
        parse_manifest(changed("files", {file: "0" * 64}))


def test_a_network_is_an_onnx_file() -> None:
    with pytest.raises(IntegrityError, match=r"networks.encoder.file: got 'onnx/encoder.ort'"):
        parse_manifest(changed("networks/encoder/file", "onnx/encoder.ort"))


@pytest.mark.parametrize("file", ["manifest.json", "onnx/encoder.onnx"])
def test_a_file_is_listed_once(file: str) -> None:
    with pytest.raises(IntegrityError, match=f"{file} is listed twice or is the manifest itself"):
        parse_manifest(changed("files", {**LATENT["files"], file: "0" * 64}))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not the JSON of edge-sr"),
        (b'{"a": 1, "a": 2}', "key 'a' stands twice"),
        (b'{"a": NaN}', "NaN is not a number"),
        (b'{"a": -Infinity}', "-Infinity is not a number"),
        (b'{"a": 1e999}', "1e999 is too large"),
        (b'{"a": "\xff"}', "utf-8"),
        (b"[" * 17 + b"]" * 17, "nested deeper than 16 levels"),
        (b"[" * 200_000, "nested too deep"),
        (b" " * MAX_JSON_BYTES + b"1", "1,048,577 bytes long"),
        (b"1" * 5000, "is too large|Exceeds the limit"),
    ],
)
def test_unfit_json_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(IntegrityError, match=f"^m: .*({reason})"):
        parse_json(content, "m")


def test_sixteen_levels_are_read() -> None:
    assert parse_json(b"[" * 16 + b"]" * 16, "m")


def test_the_format_knows_no_schedule_or_sampler_that_the_code_lacks() -> None:
    from edge_sr.diffusion.samplers import SAMPLERS as KNOWN_SAMPLERS
    from edge_sr.diffusion.samplers import sampler_table
    from edge_sr.diffusion.schedule import make_alphas_cumprod

    alphas = make_alphas_cumprod("linear", 10, rescale_betas_zero_snr=True)
    for sampler in KNOWN_SAMPLERS:
        table = sampler_table(sampler, alphas, num_inference_steps=2, prediction_type="sample")
        assert table.deterministic == (sampler in COMPOSED_SAMPLERS)
    assert set(SAMPLERS) == set(KNOWN_SAMPLERS)
    for schedule in BETA_SCHEDULES:
        alphas = make_alphas_cumprod(schedule, 10, rescale_betas_zero_snr=False, beta_start=1e-4, beta_end=0.02)
        for prediction_type in PREDICTION_TYPES:
            sampler_table("ddim", alphas, num_inference_steps=2, prediction_type=prediction_type)
