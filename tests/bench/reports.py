"""A report with something in every field, for tests."""

from __future__ import annotations

import base64

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
from edge_sr.image.png import encode_png

PNG = base64.b64encode(encode_png(np.zeros((8, 8), np.uint8), text={})).decode()
CONDITIONS = Conditions(
    machine={"cpu_model": "A processor", "cores": 2},
    versions={"numpy": "2.0"},
    power_mode=None,
    before={"clocks_mhz": {"cpu0": 1000.0, "gpu": 500.0}},
    after={"clocks_mhz": {"cpu0": 1000.0, "gpu": 900.0}},
    throttling=(),
    load_average_before=0.1,
    load_average_after=1.0,
)
TIMES = Times(200, 5.0, 5.5, 5.7, 6.0, 5.1, 0.05, 4.0, 7.0, {"compute": 4.0}, (5.0, 5.1))
QUALITY = Quality(
    pictures=2,
    patients=None,
    metrics={"psnr_db": Interval(33.0, 32.0, 34.0)},
    over_bicubic={"psnr_db": Interval(1.0, 0.5, 1.5)},
    worst=(Worst("a.png", {"psnr_db": 32.0}, {"psnr_db": 0.5}),),
    against_float32=AgainstFloat32(50.0, Interval(0.0, -0.1, 0.1), (0.1, None, *[0.0] * 8)),
)
VARIANT = Variant(
    key="tiny-ddim-1-int8-onnxruntime-t2-64x64",
    title="tiny int8",
    model="tiny",
    bundle=BundleId("tiny", "0.1", "a" * 64),
    backend="onnxruntime",
    precision="int8",
    asked="int8",
    size=(64, 64),
    scale=4,
    latency=TIMES,
    file_latency=TIMES,
    outside_session_ms=1.0,
    opening=Opening(30.0, 6.0, WarmUp(40, 0.2, True), 400.0, 5),
    engine="tiny-int8",
    engine_bytes=1000,
    build_seconds=2.5,
    sampler="ddim",
    steps=1,
    threads=2,
    throughput=(Throughput(1, 200.0, 5.0),),
    stream_pictures_per_s=210.0,
    memory=Memory(90.0, 95.0),
    energy=Energy("fake", "a fake", 0.05, 10.0, 5.0, 10.0, 200),
    quality=QUALITY,
)
REPORT = Report(
    created="2026-01-02T03:04:05+00:00",
    code_version="0.1",
    conditions=CONDITIONS,
    options={"models": ["tiny"]},
    variants=(VARIANT,),
    warnings=("something",),
    power=Power("fake", "a fake", ((0.0, 5.0), (1.0, 10.0)), (Window(VARIANT.key, 0.5, 1.0),)),
    panels=(Panel(VARIANT.key, "a.png", {"sr": "a.png/sr"}, 0.1),),
    pictures={"a.png/sr": PNG},
)
