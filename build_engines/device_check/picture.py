"""One picture from file to file, phase by phase: what a user waits for."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from build_engines.device_check.latency import distribution
from build_engines.device_check.steps import Findings
from build_engines.device_check.subject import Subject
from edge_sr.bench.latency import timed
from edge_sr.image.png import write_png
from edge_sr.image.radiograph import from_unit
from edge_sr.models import open_model
from edge_sr.models.engines import networks_of
from edge_sr.pipeline import upscale_file
from edge_sr.timing import Phases

WARM_UP = 5


def measure_picture(subject: Subject, *, seconds: float) -> Findings:
    """A PNG of one tile through the engine that was the fastest when it was built."""
    entry = subject.fastest()
    precision = entry.key.precision
    rounds: list[Phases] = []
    with tempfile.TemporaryDirectory(prefix="edge-sr-") as name:
        source, target = Path(name, "lr.png"), Path(name, "sr.png")
        write_png(source, from_unit(subject.pictures.check.lr[:1], 8), text={})
        with open_model(subject.chain.bundle, subject.backend(precision), networks=networks_of(entry)) as model:

            def once() -> None:
                rounds.append(Phases())
                upscale_file(source, target, model, overwrite=True, phases=rounds[-1])

            for _ in range(WARM_UP):
                once()
            rounds.clear()
            taken_ms = timed(once, seconds=seconds)
    names = dict.fromkeys(name for phases in rounds for name in phases.ms)
    phases_ms = {name: round(float(np.median([each.ms.get(name, 0.0) for each in rounds])), 4) for name in names}
    told = distribution(taken_ms)
    figures = {"engine": entry.name, **told, "phases_p50_ms": phases_ms}
    return Findings(figures, line=f"file to file p50 {told['p50_ms']:.2f} ms with {entry.manifest.precision}")
