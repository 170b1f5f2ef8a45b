"""Networks of the edge model's shape in a few ONNX nodes, whose arithmetic is exact: LR 16x16, latents 8x8.

Every weight is a multiple of 2^-9, at most 127 of them, with one of 127 in each output channel; so scales are powers of
two, sums are exact in float32 in whatever order they are taken, and two implementations that round alike agree to the
last bit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import ModelProto, numpy_helper

from build_engines.compose import compose
from build_engines.quantize import OUT_AXIS, Placement
from edge_sr.diffusion.samplers import sampler_table
from edge_sr.diffusion.schedule import make_alphas_cumprod

HEADER = '<ir_version: 10, opset_import: ["" : 20]>'
CONV, LR, LATENTS = "Conv<pads=[1,1,1,1]>", "float[N,1,16,16] lr", "float[N,4,8,8]"
UNSHUFFLE = "dark = Sub(lr, half) small = SpaceToDepth<blocksize=2>(dark)"
GRAPHS = {
    "encoder": f"""encoder ({LR}) => (float[N,8,8,8] cond) {{ {UNSHUFFLE}
        a = {CONV}(small, head_weight, head_bias) b = Relu(a)
        c = {CONV}(b, body_conv1_weight, body_conv1_bias) d = Relu(c)
        e = {CONV}(d, body_conv2_weight, body_conv2_bias) f = Add(b, e) cond = Relu(f) }}""",
    "denoiser": f"""denoiser ({LATENTS} latents, float[N,8,8,8] cond, int64[1] timestep) => ({LATENTS} prediction) {{
        time = Cast<to=1>(timestep) shift = Mul(time, speed) joined = Concat<axis=1>(latents, cond)
        a = {CONV}(joined, down_weight, down_bias) b = Add(a, shift) c = Relu(b)
        d = MaxPool<kernel_shape=[2,2], strides=[2,2]>(c)
        e = {CONV}(d, middle_weight, middle_bias) f = Relu(e)
        g = ConvTranspose<strides=[2,2]>(f, up_weight, up_bias) both = Concat<axis=1>(g, c)
        h = {CONV}(both, merge_weight, merge_bias) i = Relu(h) prediction = Conv(i, out_weight, out_bias) }}""",
    "decoder": f"""decoder ({LATENTS} latents, {LR}) => (float[N,1,64,64] sr) {{ {UNSHUFFLE}
        joined = Concat<axis=1>(latents, small)
        a = {CONV}(joined, head_weight, head_bias) b = Relu(a)
        c = {CONV}(b, body_conv1_weight, body_conv1_bias) d = Relu(c)
        e = {CONV}(d, body_conv2_weight, body_conv2_bias) f = Add(b, e) g = Relu(f)
        h = {CONV}(g, up_weight, up_bias) i = DepthToSpace<blocksize=2>(h) j = Relu(i)
        k = {CONV}(j, tail_weight, tail_bias) l = Conv<pads=[2,2,2,2]>(lr, skip)
        m = Add(l, k) sr = DepthToSpace<blocksize=4>(m) }}""",
}
SHAPES = {
    "encoder": {"head": (8, 4, 3, 3), "body_conv1": (8, 8, 3, 3), "body_conv2": (8, 8, 3, 3)},
    "denoiser": {
        "down": (8, 12, 3, 3), "middle": (12, 8, 3, 3), "up": (12, 6, 2, 2), "merge": (8, 14, 3, 3),
        "out": (4, 8, 1, 1),
    },
    "decoder": {
        "head": (8, 8, 3, 3), "body_conv1": (8, 8, 3, 3), "body_conv2": (8, 8, 3, 3), "up": (24, 8, 3, 3),
        "tail": (16, 6, 3, 3),
    },
}  # fmt: skip


def networks() -> dict[str, ModelProto]:
    rng = np.random.default_rng(0)
    return {role: network(role, rng) for role in GRAPHS}


def network(role: str, rng: np.random.Generator) -> ModelProto:
    model = onnx.parser.parse_model(HEADER + GRAPHS[role])
    constants = {"half": np.float32(0.5), "speed": np.full((1, 8, 1, 1), 2**-10, np.float32), "skip": skip()}
    for name, shape in SHAPES[role].items():
        axis = OUT_AXIS["ConvTranspose" if name == "up" and role == "denoiser" else "Conv"]
        constants[f"{name}_weight"] = exact_weight(shape, axis, rng)
        constants[f"{name}_bias"] = exact_values(shape[axis], rng)
    read = {name for node in model.graph.node for name in node.input}
    model.graph.initializer.extend(numpy_helper.from_array(v, name) for name, v in constants.items() if name in read)
    onnx.checker.check_model(model, full_check=True)
    return model


def exact_weight(shape: tuple[int, ...], axis: int, rng: np.random.Generator) -> np.ndarray:
    codes = np.rint(rng.normal(0, 40, shape)).clip(-127, 127)
    np.moveaxis(codes, axis, 0)[:, 0, 0, 0] = 127
    return (codes * 2**-9).astype(np.float32)


def exact_values(size: int | tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """About -0.5 to 0.5, multiples of 2^-6."""
    return (rng.integers(-32, 33, size) * 2**-6).astype(np.float32)


def skip() -> np.ndarray:
    kernel = np.zeros((16, 1, 5, 5), np.float32)
    kernel[:, :, 2, 2] = 1
    return kernel


def composed(steps: int, parts: Mapping[str, ModelProto] | None = None) -> ModelProto:
    cumprod = make_alphas_cumprod("linear", 300, rescale_betas_zero_snr=True)
    table = sampler_table("ddim", cumprod, num_inference_steps=steps, prediction_type="sample")
    parts = parts or networks()
    return compose(parts["encoder"], parts["denoiser"], parts["decoder"], table=table)


def exact_ranges(places: Placement, seed: int = 0) -> dict[str, tuple[float, float]]:
    """Ranges whose scales are powers of two, chosen for each group; some values lie beyond."""
    rng = np.random.default_rng(seed)
    levels = places.flavour.highest - places.flavour.lowest if not places.flavour.symmetric else places.flavour.highest
    ranges = {}
    for group in places.groups:
        scale = 2.0 ** -int(rng.integers(3, 6))
        below = int(rng.integers(0, levels // 2))
        limits = (-below * scale, (levels - below) * scale) if not places.flavour.symmetric else (0.0, levels * scale)
        ranges |= dict.fromkeys(group, limits)
    return ranges


def feeds(count: int = 2) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {
        "lr": (rng.integers(0, 257, (count, 1, 16, 16)) / 256).astype(np.float32),
        "noise": exact_values((count, 4, 8, 8), rng) * 4,
    }
