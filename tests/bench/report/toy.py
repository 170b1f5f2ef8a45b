"""Reports that nobody measured, with something in every field."""

from __future__ import annotations

import base64
import dataclasses
import functools
from typing import Any

import numpy as np

from edge_sr.bench.bootstrap import Interval
from edge_sr.bench.schema import (
    AgainstFloat32,
    BundleId,
    Conditions,
    Energy,
    Memory,
    Opening,
    Panel,
    Power,
    Quality,
    Report,
    Throughput,
    Times,
    Variant,
    WarmUp,
    Window,
    Worst,
)
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.png import encode_png

SCALE = {"prepare": 0.07, "compute": 0.8, "finish": 0.13}
OF_A_FILE = {"decode": 0.3, "encode": 0.6, "write": 0.25}  # ms


def times(p50: float, *, seed: int = 0, cv: float = 0.03, of_file: bool = False) -> Times:
    rng = np.random.default_rng(seed)
    samples = p50 * (1 + np.abs(rng.normal(0, cv, 400)) - 0.4 * cv)
    phases = {**{name: share * p50 for name, share in SCALE.items()}, **(OF_A_FILE if of_file else {})}
    order = ("decode", "prepare", "compute", "finish", "encode", "write")
    quantiles = (float(np.quantile(samples, q)) for q in (0.9, 0.95, 0.99))
    return Times(
        1400,
        p50,
        *quantiles,
        mean_ms=float(samples.mean()),
        cv=cv,
        least_ms=float(samples.min()),
        most_ms=float(samples.max()),
        phases_p50_ms={name: phases[name] for name in order if name in phases},
        samples_ms=tuple(samples.round(4).tolist()),
    )


def interval(mean: float, half: float) -> Interval:
    return Interval(mean, mean - half, mean + half)


def quality(psnr: float, haarpsi: float, *, shift: float = -0.02, against: bool = True) -> Quality:
    metrics = {
        "psnr_db": interval(psnr, 0.31),
        "ssim": interval(0.91 + psnr / 2000, 0.004),
        "haarpsi_med": interval(haarpsi, 0.011),
        "lpips": interval(0.4 - haarpsi / 3, 0.006),
        "lr_rmse": interval(0.061, 0.002),
        "mean_shift": interval(shift, 0.015),
    }
    over = {"psnr_db": interval(psnr - 32.65, 0.12), "haarpsi_med": interval(haarpsi - 0.678, 0.01)}
    tenths = (-0.19, -0.31, -0.04, 0.02, 0.05, None, 0.01, -0.02, 0.03, 0.09)
    return Quality(
        80,
        37,
        metrics,
        over,
        worst=(Worst("00012_003.png", {"psnr_db": psnr - 6, "ssim": 0.84}, {"psnr_db": 0.07}),),
        against_float32=AgainstFloat32(51.27, interval(shift, 0.01), tenths) if against else None,
    )


def variant(key: str, p50: float, **changed: Any) -> Variant:
    """A variant of the shipped bundle; changed: its fields."""
    fields: dict[str, Any] = {
        "key": key,
        "title": key.replace("-", " "),
        "model": "cxr-x4-edge",
        "bundle": BundleId("cxr-x4-edge", "1.2.0", "ab12" * 16),
        "backend": "onnxruntime",
        "precision": "int8",
        "size": (64, 64),
        "scale": 4,
        "latency": times(p50, seed=len(key)),
        "opening": Opening(41.5, 1.7 * p50, WarmUp(60, 1.25, True), 512.0, 7),
        "family": "latent_diffusion",
        "engine": "cxr-x4-edge-int8-0f3a",
        "engine_bytes": 3_565_158,
        "build_seconds": 18.6,
        "sampler": "ddim",
        "steps": 1,
        "threads": 2,
        "parameters": 1_814_000,
        "macs": 1_512_345_678,
        "file_latency": times(p50 + sum(OF_A_FILE.values()), seed=7, of_file=True),
        "outside_session_ms": 1.64,
        "throughput": tuple(Throughput(n, 1000 * n / (p50 * n**0.8), p50 * n**0.8) for n in (1, 2, 4, 8)),
        "stream_pictures_per_s": 1130 / p50,
        "memory": Memory(163.4, 121.7),
        "energy": Energy("ina3221", "the whole module", 0.0312, 11.4, 4.87, 20.1, 402),
        "quality": quality(34.87, 0.812),
    }
    return Variant(**{**fields, **changed})


@functools.cache
def picture(seed: int, *, side: int = 256, gain: float = 1.0) -> str:
    pixels = np.clip(chest_phantom(side, seed=seed) * gain, 0, 255).astype(np.uint8)
    return base64.b64encode(encode_png(pixels, text={})).decode()


def conditions(**changed: Any) -> Conditions:
    machine = {"board": "NVIDIA Jetson Orin Nano", "cpu_model": "Cortex-A78AE", "machine": "aarch64", "cores": 6}
    look = {"temperatures_c": {"cpu": 46.5, "gpu": 48.25}, "clocks_mhz": {"gpu": 1020.0}, "jetson_clocks": True}
    fields: dict[str, Any] = {
        "machine": {**machine, "memory_mib": 7620, "cpu_features": ["asimddp", "i8mm"], "system": "Linux 5.15"},
        "versions": {"python": "3.10.12", "onnxruntime": "1.23.2", "tensorrt": "10.3.0", "numpy": "2.2.6"},
        "power_mode": "25W",
        "before": look,
        "after": {**look, "temperatures_c": {"cpu": 51.0, "gpu": 57.75}},
        "throttling": (),
        "load_average_before": 0.14,
        "load_average_after": 1.83,
        "gpu": {"name": "Orin", "compute_capability": "8.7", "sm_count": 8},
    }
    return Conditions(**{**fields, **changed})


def power() -> Power:
    seconds = np.arange(0, 60, 0.05)
    watts = 5 + 6 * ((seconds > 6) & (seconds % 9 < 7.5)) + np.random.default_rng(1).normal(0, 0.2, len(seconds))
    keys = ("int8-1", "int8-4", "fp32-1")
    windows = tuple(Window(keys[n % 3], 6.0 + 9 * n, 13.0 + 9 * n) for n in range(6))
    return Power(
        "ina3221", "the whole module", tuple(zip(seconds.tolist(), watts.round(3).tolist(), strict=True)), windows
    )


def roofline() -> dict[str, Any]:
    """As ``edge_sr.bench.roofline`` writes it."""
    node = {"name": "decoder/conv", "kind": "Conv", "stage": "decoder", "precision": "int8", "operations": 905_969_664}
    bounds = {
        "bytes": 1_245_184,
        "nodes": ["decoder/conv"],
        "compute_ms": 0.274,
        "memory_ms": 0.0122,
        "bound": "compute",
    }
    stage = {"stage": "decoder", "launches": 9, "operations": 905_969_664, "bytes": 1_245_184, "floor_ms": 0.361}
    kind = {"kind": "Conv", "launches": 23, "floor_ms": 1.27, "measured_ms": 2.91, "times": 2.291, "gap_ms": 1.64}
    other = {"kind": "Resize", "launches": 2, "floor_ms": 0.021, "measured_ms": 0.187, "times": 8.9, "gap_ms": 0.166}
    device = {"name": "orin-nano-25w", "title": "Orin Nano 8 GB, 25 W", "tops": {"int8": 33.0}, "gb_s": 102.0}
    return {
        "label": "prediction",
        "device": {**device, "launch_us": 4.5, "power_w": 25.0, "sources": {"gb_s": "NVIDIA data sheet"}},
        **{"graph": "upscale.onnx", "precision": "int8", "as_written": True, "launches": 46, "compute_ms": 0.914},
        **{"memory_ms": 0.317, "launch_ms": 0.207, "floor_ms": 1.319, "bound": "compute", "energy_mj": 32.98},
        "stages": [{**stage, "share": 0.2737, "measured_ms": 1.05}],
        "nodes": [{**node, **bounds, "measured_ms": 0.513, "least_ms": 0.477, "floor_ms": 0.274}],
        "measured": {"threads": 2, "session_ms": 3.412, "times_floor": 2.587, "above": [], "kinds": [kind, other]},
    }


def small(**changed: Any) -> Report:
    """Two variants, nothing optional."""
    few = dataclasses.replace(times(9.25, seed=3), p99_ms=None, samples_ms=(), phases_p50_ms={})
    plain: dict[str, Any] = dict.fromkeys(("file_latency", "memory", "energy", "quality", "stream_pictures_per_s"))
    bare = variant("fp32-1", 9.25, latency=few, precision="fp32", throughput=(), outside_session_ms=None, **plain)
    fields: dict[str, Any] = {
        "created": "2026-11-20T10:02:03Z",
        "code_version": "0.1.0",
        "conditions": conditions(),
        "options": {"rounds": 7, "models": ["cxr-x4-edge"]},
        "variants": (variant("int8-1", 2.413), bare),
    }
    return Report(**{**fields, **changed})


def whole(**changed: Any) -> Report:
    """Something in every field."""
    bare: dict[str, Any] = {"bundle": None, "sampler": None, "steps": None, "engine": None, "engine_bytes": None}
    peer = {**bare, "peer": True, "note": "random weights, for time alone", "quality": None, "energy": None}
    variants = (
        variant("int8-1", 2.413),
        variant("int8-4", 3.62, quality=quality(34.41, 0.821), steps=4),
        variant("fp32-1", 7.08, precision="fp32", quality=quality(34.95, 0.815, against=False)),
        variant("bicubic", 0.31, model="bicubic", quality=quality(32.65, 0.678, against=False), **bare),
        variant("peer-x4plus", 348.2, title="Real-ESRGAN x4plus, ONNX Runtime float32", macs=73_430_000_000, **peer),
    )
    pictures = {
        f"{name}": picture(n, gain=0.7 + 0.1 * n) for n, name in enumerate(("lr", "cubic", "hr", "fp32", "diff"))
    }
    pictures["lr"] = picture(0, side=64, gain=0.7)
    pictures |= {"sr-1": picture(1), "sr-4": picture(1, gain=1.05)}
    shared = {"lr": "lr", "bicubic": "cubic", "hr": "hr", "float32": "fp32", "difference": "diff"}
    panels = tuple(
        Panel(key, "00012_003.png", {**shared, "sr": sr}, -0.021)
        for key, sr in (("int8-1", "sr-1"), ("int8-4", "sr-4"))
    )
    limit = {"orin-nano-25w: int8": roofline()}
    warnings = (
        "The GPU's clock moved between 612 and 1020 MHz during the run: fix it with jetson_clocks.",
        "Only 90 calls of peer-x4plus: p99 is not told below 100.",
    )
    filled = {
        "warnings": warnings,
        "power": power(),
        "roofline": limit,
        "panels": panels,
        "pictures": pictures,
    }
    return small(**{"variants": variants, "seconds": 318.4, **filled, **changed})
