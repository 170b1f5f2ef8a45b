"""Row 16: two hundred tampered or foreign bundles and engines, and twelve pickles. None gets as far as a session."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_sr.artifacts.bundle import Bundle
from edge_sr.artifacts.chain import chain_of
from edge_sr.artifacts.engine_entry import Entry
from edge_sr.artifacts.engine_key import EngineKey, machine_for
from edge_sr.artifacts.engine_manifest import EngineFile
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.device.facts import read_facts
from edge_sr.errors import EdgeSRError
from edge_sr.image.radiograph import Radiograph
from edge_sr.models import load_model
from edge_sr.pipeline import upscale
from tests import tiny_bundle
from tests.engine_entries import KEY, manifest_of, put
from tests.reliability.finding import Finding
from tests.reliability.payloads import payloads
from tests.reliability.pictures import grey
from tests.reliability.rig import Rig
from tests.reliability.tampering import BUNDLES, ENGINES, Spoil

PAYLOADS = 12
ENGINE = "upscale.onnx"


def trust(rig: Rig, count: int, *, seed: int = 16) -> dict[str, Finding]:
    """Half are bundles, half engines; each way of spoiling comes again with other draws."""
    finding, draw = Finding(count), np.random.default_rng(seed)
    with tempfile.TemporaryDirectory(prefix="edge-sr-trust-") as folder, _opened_files() as opened:
        home = Path(folder)
        finding.add(_sound_ones_open(rig, home, opened))
        kinds: dict[str, int] = {}
        for number in range(count):
            ways = BUNDLES if number % 2 else ENGINES
            spoil = ways[number // 2 % len(ways)]
            kinds[spoil.__name__] = kinds.get(spoil.__name__, 0) + 1
            check = _bundle_fault if number % 2 else _engine_fault
            finding.add(check(rig, home / str(number), spoil, draw, opened))
        finding.figures |= {"kinds": len(kinds), "opened": len(opened)}
    _pickles(rig, finding)
    return {"16": finding}


@contextmanager
def _opened_files() -> Iterator[list[Path]]:
    """Every file that ONNX Runtime is asked to open within the block."""
    opened: list[Path] = []
    real = OnnxRuntime.inference_session

    def session(self: OnnxRuntime, artifact: Path, **options: Any) -> Any:
        opened.append(Path(artifact))
        return real(self, artifact, **options)

    OnnxRuntime.inference_session = session  # type: ignore[method-assign]
    try:
        yield opened
    finally:
        OnnxRuntime.inference_session = real  # type: ignore[method-assign]


def _key(bundle: Bundle) -> EngineKey:
    """Of an engine that this machine takes for the bundle."""
    machine = machine_for(OnnxRuntime(1), read_facts())
    return replace(KEY, chain_sha256=chain_of(bundle).sha256).on(machine)


def _cache(rig: Rig, folder: Path) -> Path:
    """A cache with one engine, the bundle's own network under the name of one; the entry."""
    content = (rig.bundle / "onnx" / "upscale.onnx").read_bytes()
    return _put(folder, _key(Bundle.open(rig.bundle)), content, b"log").folder


def _put(folder: Path, key: EngineKey, engine: bytes, log: bytes) -> Entry:
    manifest = manifest_of(key, engines={"upscale": EngineFile(ENGINE)})
    return put(folder, manifest, {ENGINE: engine, "build.log": log})


@contextmanager
def _cache_in_use(folder: Path) -> Iterator[None]:
    from edge_sr.artifacts import engine_cache
    from edge_sr.models import engines

    real = engine_cache.cache_folders
    engine_cache.cache_folders = engines.cache_folders = lambda: [folder]  # type: ignore[attr-defined]
    try:
        yield
    finally:
        engine_cache.cache_folders = engines.cache_folders = real  # type: ignore[attr-defined]


def _load(bundle: Path, precision: str) -> None:
    """As far as a result: a session is opened with the first picture."""
    with load_model(bundle, precision=precision, backend="onnxruntime", threads=1) as model:
        upscale(Radiograph(grey(0), 8, "0" * 64), model)


def _sound_ones_open(rig: Rig, home: Path, opened: list[Path]) -> Iterator[str]:
    """Without this, a rig that spoils nothing would pass."""
    _load(rig.bundle, "fp32")
    if not any(path.is_relative_to(rig.bundle) for path in opened):
        yield "the sound bundle was not opened"
    entry = _cache(rig, home / "sound")
    with _cache_in_use(entry.parent):
        _load(rig.bundle, "int8")
    if entry / ENGINE not in opened:
        yield "the sound engine was not opened"
    opened.clear()


def _bundle_fault(rig: Rig, folder: Path, spoil: Spoil, draw: Any, opened: list[Path]) -> Iterator[str]:
    shutil.copytree(rig.bundle, folder)
    spoil(folder, draw)
    yield from _refusal(spoil, lambda: _load(folder, "fp32"), opened)


def _engine_fault(rig: Rig, folder: Path, spoil: Spoil, draw: Any, opened: list[Path]) -> Iterator[str]:
    entry = _cache(rig, folder)
    spoil(entry, draw)
    with _cache_in_use(folder):
        yield from _refusal(spoil, lambda: _load(rig.bundle, "int8"), opened)


def _refusal(spoil: Spoil, load: Any, opened: list[Path]) -> Iterator[str]:
    try:
        load()
    except EdgeSRError:
        pass
    except Exception as error:
        yield f"{spoil.__name__}: {type(error).__name__} in place of a refusal: {error}"
    else:
        yield f"{spoil.__name__}: it was taken"
    if opened:
        yield f"{spoil.__name__}: {opened[0].name} was opened before it was refused"
        opened.clear()


def _pickles(rig: Rig, finding: Finding) -> None:
    """As a network, an engine, a manifest and a file of the spool, each of them with the hashes that fit."""
    mark, made = rig.folder / "executed", list(payloads(rig.folder / "executed"))
    for number, (kind, content) in enumerate(made):
        home = rig.folder / f"pickle-{number}"
        for attempt in (_as_network, _as_engine, _as_manifest):
            with suppress(EdgeSRError):
                attempt(rig, home / attempt.__name__, content)
                finding.fault(f"{kind} was taken {attempt.__name__[1:].replace('_', ' ')}")
            if mark.exists():
                finding.fault(f"{kind} was executed {attempt.__name__[1:].replace('_', ' ')}")
                mark.rmdir()
        shutil.rmtree(home, ignore_errors=True)
    finding.add(_in_the_spool(rig, made, mark))
    finding.figures["pickles"] = len(made)
    if len(made) != PAYLOADS:
        finding.fault(f"{len(made)} payloads, {PAYLOADS} are wanted")


def _as_network(rig: Rig, folder: Path, content: bytes) -> None:
    staging = folder / "staging"
    (staging / "onnx").mkdir(parents=True)
    for role in tiny_bundle.GRAPHS:
        (staging / "onnx" / f"{role}.onnx").write_bytes(content)
    _load(tiny_bundle.publish(staging, folder / "bundle").folder, "fp32")


def _as_engine(rig: Rig, folder: Path, content: bytes) -> None:
    bundle = Bundle.open(rig.bundle)
    _put(folder, _key(bundle), content, content)
    with _cache_in_use(folder):
        _load(rig.bundle, "int8")


def _as_manifest(rig: Rig, folder: Path, content: bytes) -> None:
    shutil.copytree(rig.bundle, folder)
    (folder / "manifest.json").write_bytes(content)
    _load(folder, "fp32")


def _in_the_spool(rig: Rig, made: list[tuple[str, bytes]], mark: Path) -> Iterator[str]:
    """As pictures, and as the records that a service finds at its start."""
    with rig.spool() as ledger, rig.service(ledger.spool, "--incomplete-after", 1) as service:
        job = ledger.spool / "work" / ("0" * 32)
        job.mkdir()
        (job / "picture.png").write_bytes(made[0][1])
        (job / ".attempts").write_bytes(made[0][1])
        (ledger.spool / "outgoing" / "picture_x4.json").write_bytes(made[1][1])
        service.start()
        for kind, content in made:
            ledger.give(f"{kind}.png", content)
            ledger.give(f"{kind}.tif", content)
        if not ledger.settled(10):
            yield f"{ledger.waiting()} payloads still wait in the spool"
        if not service.running or service.terminate():
            yield f"the service ended badly: {service.log_end()}"
        if mark.exists():
            yield "a payload was executed in the service"
