"""Entries of an engine cache whose engines are a few bytes that nothing can run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from edge_sr.artifacts.engine_entry import Entry
from edge_sr.artifacts.engine_folder import build_lock
from edge_sr.artifacts.engine_key import EngineKey, Machine
from edge_sr.artifacts.engine_manifest import BundleName, EngineFile, EngineManifest
from edge_sr.artifacts.engine_publish import publish, staging

MACHINE = Machine("onnxruntime", "1.31.1", "A processor", ("avx2", "avx512_vnni"))
KEY = EngineKey(
    chain_sha256="c" * 64,
    sampler="ddim",
    steps=1,
    roles=("upscale",),
    precision="int8",
    tile=64,
    batch=(1, 1, 4),
    backend="onnxruntime",
    backend_version="1.31.1",
    device="A processor",
    instructions=("avx2", "avx512_vnni"),
    calibration_sha256="a" * 64,
    options={"threads": 0, "spinning": True},
)
FILES = {"upscale.ort": b"engine", "build.log": b"log"}


def never(pid: int) -> None:
    raise AssertionError(f"waits for {pid}")


def manifest_of(key: EngineKey = KEY, *, speedup: float = 2.0, **other: object) -> EngineManifest:
    manifest = EngineManifest(
        key=key,
        bundle=BundleName("tiny", "0.0.1", "b" * 64),
        precision="fp16" if key.precision == "auto" else key.precision,
        engines={role: EngineFile(f"{role}.ort") for role in key.roles},
        verdict={"passed": True, "psnr_db": 50.5},
        timings={"fp32_p50_ms": 6.0, "p50_ms": 6.0 / speedup, "speedup": speedup},
    )
    return replace(manifest, **other)  # type: ignore[arg-type]


def put(folder: Path, manifest: EngineManifest | None = None, files: Mapping[str, bytes] = FILES) -> Entry:
    """Publish one entry into the cache ``folder``, which is made where it is missing."""
    if not folder.exists():
        folder.mkdir(parents=True)
        folder.chmod(0o755)
    with build_lock(folder, never), staging(folder) as path:
        for name, content in files.items():
            (path / name).write_bytes(content)
        return publish(path, manifest or manifest_of())
