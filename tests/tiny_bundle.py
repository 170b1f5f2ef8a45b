"""A latent diffusion bundle of a few hand-written ONNX nodes, valid in every respect, made in milliseconds."""

from __future__ import annotations

from pathlib import Path

from edge_sr.artifacts.bundle import Bundle, write_bundle
from edge_sr.artifacts.manifest import Manifest, parse_manifest

HEADER = '<ir_version: 10, opset_import: ["" : 20]>'
LR, LATENTS, SR = "float[N,1,64,64]", "float[N,4,32,32]", "float[N,1,256,256]"

# cond: the LR picture at the size of the latents, in four shades.
ENCODE = "small = AveragePool<kernel_shape=[2,2], strides=[2,2]>(lr) cond = Mul(small, shades)"
SHADES = "float[1,4,1,1] shades = {1, 0.5, 0.25, 0.125}"

# The clean latents, as the denoiser guesses them: cond with a tenth of the noise, and a trace of the timestep.
DENOISE = """
    time = Cast<to=1>(timestep)  trace = Mul(time, tiny)  part = Mul(latents, tenth)
    dim = Add(cond, part)  prediction = Add(dim, trace)
"""
WEIGHTS = "float tenth = {0.1}, float tiny = {0.0001}"

# Bilinear, with the mean of the latents laid over it.
DECODE = """
    mean = ReduceMean(latents, axis)  coarse = Resize<mode="nearest">(mean, , eightfold)
    smooth = Resize<mode="linear">(lr, , fourfold)  rest = Mul(coarse, tenth)  sr = Add(smooth, rest)
"""
SCALES = "int64[1] axis = {1}, float[4] eightfold = {1,1,8,8}, float[4] fourfold = {1,1,4,4}, float tenth = {0.1}"

# The two rounds of edge_sr.image.consistency.project.
PROJECT = """
    mean1 = AveragePool<kernel_shape=[4,4], strides=[4,4]>(raw)  r1 = Sub(lr, mean1)
    up1 = Resize<mode="nearest">(r1, , fourfold)  moved1 = Add(raw, up1)  once = Clip(moved1, zero, one)
    mean2 = AveragePool<kernel_shape=[4,4], strides=[4,4]>(once)  r2 = Sub(lr, mean2)
    up2 = Resize<mode="nearest">(r2, , fourfold)
    positive = Greater(up2, zero)  below = Less(once, one)  rising = And(positive, below)
    negative = Less(up2, zero)  above = Greater(once, zero)  falling = And(negative, above)
    either = Or(rising, falling)  free = Cast<to=1>(either)
    share = AveragePool<kernel_shape=[4,4], strides=[4,4]>(free)  count = Mul(share, sixteen)
    some = Max(count, one)  r16 = Mul(r2, sixteen)  each = Div(r16, some)
    step = Resize<mode="nearest">(each, , fourfold)  wanted = Mul(free, step)
    moved2 = Add(once, wanted)  sr = Clip(moved2, zero, one)
"""
BOUNDS = "float zero = {0}, float one = {1}, float sixteen = {16}"

# One DDIM step: the denoiser sees the noise at the last timestep, and its guess is the end of the chain.
UPSCALE = (
    ENCODE + DENOISE.replace("latents", "noise") + DECODE.replace("latents", "prediction").replace("sr =", "raw =")
)
GRAPHS = {
    "encoder": f"encoder ({LR} lr) => ({LATENTS} cond) <{SHADES}> {{ {ENCODE} }}",
    "denoiser": f"denoiser ({LATENTS} latents, {LATENTS} cond, int64[1] timestep) => ({LATENTS} prediction)"
    f" <{WEIGHTS}> {{ {DENOISE} }}",
    "decoder": f"decoder ({LATENTS} latents, {LR} lr) => ({SR} sr) <{SCALES}> {{ {DECODE} }}",
    "upscale": f"upscale ({LR} lr, {LATENTS} noise) => ({SR} sr)"
    f" <{SHADES}, float tiny = {{0.0001}}, int64[1] timestep = {{299}}, {SCALES}, {BOUNDS}>"
    f" {{ {UPSCALE} {PROJECT} }}",
}


def tiny_manifest() -> Manifest:
    """The manifest of the tiny bundle; write_bundle fills in the hashes."""
    lr = {"name": "lr", "shape": ["N", 1, 64, 64], "dtype": "float32"}
    sr = {"name": "sr", "shape": ["N", 1, 256, 256], "dtype": "float32"}
    latents = {"shape": ["N", 4, 32, 32], "dtype": "float32"}
    timestep = {"name": "timestep", "shape": [1], "dtype": "int64"}
    inputs_outputs = {
        "encoder": ([lr], [{"name": "cond", **latents}]),
        "denoiser": (
            [{"name": "latents", **latents}, {"name": "cond", **latents}, timestep],
            [{"name": "prediction", **latents}],
        ),
        "decoder": ([{"name": "latents", **latents}, lr], [sr]),
        "upscale": ([lr, {"name": "noise", **latents}], [sr]),
    }
    networks = {
        role: {"file": f"onnx/{role}.onnx", "sha256": "0" * 64, "opset": 20, "inputs": inputs, "outputs": outputs}
        for role, (inputs, outputs) in inputs_outputs.items()
    }
    return parse_manifest(
        {
            "format_version": 1,
            "name": "tiny",
            "version": "0.0.1",
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
            "networks": networks,
            "calibration": [],
            "files": {},
            "evaluation": {},
            "provenance": {},
            "intended_use": "Tests. Not for diagnostic use.",
        }
    )


def write_networks(folder: Path) -> None:
    """The four ONNX files; needs onnx."""
    import onnx

    (folder / "onnx").mkdir(parents=True)
    for role, graph in GRAPHS.items():
        model = onnx.parser.parse_model(HEADER + graph)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, folder / "onnx" / f"{role}.onnx")


def write_fake_networks(folder: Path) -> None:
    """Four files that only a fake backend takes for networks; needs nothing."""
    (folder / "onnx").mkdir(parents=True)
    for role in GRAPHS:
        (folder / "onnx" / f"{role}.onnx").write_text(role)


def publish(staging: Path, folder: Path) -> Bundle:
    return write_bundle(folder, staging=staging, manifest=tiny_manifest())
