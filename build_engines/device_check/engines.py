"""The engines: built as ``edge-sr build`` builds them, and held against float32 as ``edge-sr run`` runs them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

from build_engines.build import Request, build
from build_engines.check.accuracy import GATES, judge
from build_engines.check.comparison import answers, compare
from build_engines.device_check.steps import Findings
from build_engines.device_check.subject import Subject
from build_engines.targets.base import Tell
from build_engines.targets.engine_layers import layer_types
from edge_sr.artifacts.engine_entry import Entry
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.models import open_model
from edge_sr.models.engines import networks_of


def build_engine(subject: Subject, precision: str, *, rebuild: bool, tell: Tell) -> Findings:
    """Publish the engine to the engine cache, or take the one of the same key that is there; it raises what build does.

    rebuild: although there is such an engine.
    """
    lines: list[str] = []

    def keep(line: str) -> None:
        lines.append(line)
        tell(line)

    built = build(
        Request(
            chain=subject.chain,
            precision=precision,
            target=subject.target,
            cache=subject.cache,
            pictures=subject.pictures,
            threads=subject.threads,
            force=rebuild,
        ),
        tell=keep,
    )
    subject.engines[precision] = built.entry
    manifest = built.entry.manifest
    figures = {
        "fresh": built.fresh,
        "engine": built.entry.name,
        "bytes": built.entry.bytes,
        "layers": _layers(built.entry),
        "lines": lines,
        "manifest": manifest.to_json(),
    }
    how = "built" if built.fresh else "there already, --rebuild builds it anew"
    return Findings(figures, line=f"{how}; {manifest.speedup:.2f} times as fast as float32 when it was built")


def _layers(entry: Entry) -> Mapping[str, Mapping[str, int]] | None:
    """By network, how many layers of each type TensorRT made of it; None where the backend does not tell."""
    found = {}
    for role in entry.manifest.engines:
        path = entry.folder / f"{role}.inspector.json"
        if path.is_file():
            found[role] = dict(layer_types(path.read_text("utf-8")))
    return found or None


def check_accuracy(subject: Subject, precision: str) -> Findings:
    """The published engine against the bundle's float32 graph in ONNX Runtime, on the pictures and gates of a build."""
    chain, entry = subject.chain, subject.engine(precision)
    reference = open_model(chain.bundle, OnnxRuntime(subject.threads))
    backend = subject.backend(precision)
    with reference, open_model(chain.bundle, backend, networks=networks_of(entry)) as model:
        rows = compare(answers(reference, subject.pictures.check), answers(model, subject.pictures.check))
    verdict = judge(rows)
    gates = {"psnr_db": GATES.psnr_db, "mean_shift": GATES.mean_shift}
    figures = {"gates": gates, **json.loads(json.dumps({"rows": [asdict(row) for row in rows]}))}
    worst = min(rows, key=lambda row: row.psnr_db)
    line = f"{worst.psnr_db:.1f} dB to float32 at fidelity {worst.fidelity:g} (gate {GATES.psnr_db:g})"
    return Findings(figures, tuple(verdict.reasons), line)
