"""How many times faster than the published chain one picture is, both measured in one run on one machine.

    python benchmarks/against_published_chain.py

Ours is timed as in ``edge-sr run`` with the session open: from reading a 64x64 PNG to the renames of the 256x256 PNG
and its sidecar. The published chain is timed from array to array, without reading or writing a file, which favours it.
Rounds of both alternate, so that both see the same machine; both have the same number of threads; ours do not spin
while they wait, as that would slow the neighbour.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np

from edge_sr import __version__
from edge_sr.artifacts.bundle import Bundle, default_bundle
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.cli.exit_codes import guarded
from edge_sr.device.facts import read_facts
from edge_sr.errors import EnvironmentFault
from edge_sr.image.atomic import write_atomically
from edge_sr.image.consistency import area_mean
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.png import write_png
from edge_sr.image.radiograph import from_unit, to_unit
from edge_sr.models.base import SRModel
from edge_sr.models.latent_diffusion import LatentDiffusion
from edge_sr.pipeline import upscale_file
from edge_sr.timing import Phases

ROOT = Path(__file__).resolve().parents[1]
BAR = 250  # times faster, float32
WARM_UP_RUNS = 10
PACKAGES = ("numpy", "onnxruntime", "torch", "diffusers")

Reference = Callable[[np.ndarray], np.ndarray]
"""(64, 64) uint8 -> (256, 256) uint8."""


@dataclass
class Timings:
    """Wall clock of every run in ms, and the phases of ours in the same order."""

    ours_ms: list[float] = field(default_factory=list)
    phases_ms: list[dict[str, float]] = field(default_factory=list)
    reference_ms: list[float] = field(default_factory=list)


def measure(model: SRModel, reference: Reference, folder: Path, *, runs: int, rounds: int) -> Timings:
    """Rounds of ``runs`` pictures of ours, then one of the reference; folder is where files come and go."""
    lr = from_unit(area_mean(to_unit(chest_phantom(256))), 8)  # (64, 64) uint8
    source = folder / "chest.png"
    write_png(source, lr, text={}, overwrite=True)
    for _ in range(WARM_UP_RUNS):
        _run_ours(source, model, Timings())
    timings = Timings()
    for _ in range(rounds):
        for _ in range(runs):
            _run_ours(source, model, timings)
        start = time.perf_counter()
        reference(lr)
        timings.reference_ms.append((time.perf_counter() - start) * 1e3)
    return timings


def _run_ours(source: Path, model: SRModel, timings: Timings) -> None:
    target, phases = source.with_name("chest_x4.png"), Phases()
    start = time.perf_counter()
    upscale_file(source, target, model, phases=phases)
    timings.ours_ms.append((time.perf_counter() - start) * 1e3)
    timings.phases_ms.append(phases.ms)
    target.unlink()
    target.with_suffix(".json").unlink()


def summarise(timings: Timings) -> dict[str, Any]:
    """The figures of a report. ratio: the reference's median over ours."""
    ours, reference = _spread(timings.ours_ms), _spread(timings.reference_ms)
    phases = {name: round(float(np.median([ms[name] for ms in timings.phases_ms])), 3) for name in timings.phases_ms[0]}
    return {
        "edge_sr": {**ours, "phases_p50_ms": phases},
        "reference": {**reference, "each_ms": [round(ms, 1) for ms in timings.reference_ms]},
        "ratio": round(reference["p50_ms"] / ours["p50_ms"], 1),
        "bar": BAR,
    }


def _spread(times_ms: list[float]) -> dict[str, float]:
    p50, p90 = np.percentile(times_ms, [50, 90]).tolist()
    return {"runs": len(times_ms), "p50_ms": round(p50, 3), "p90_ms": round(p90, 3)}


def conditions(model: SRModel, threads: int, load_before: tuple[float, float, float]) -> dict[str, Any]:
    """What the figures hold for. load_before: load averages before anything of ours ran, which is that of others."""
    facts = read_facts()
    return {
        "cpu": facts.cpu_model or facts.machine,
        "cores": facts.cores,
        "threads": threads,
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
        "load_average_before": [round(load, 2) for load in load_before],
        "system": facts.system,
        "versions": {"python": platform.python_version(), "edge-sr": __version__}
        | {name: version(name) for name in PACKAGES},
        "model": {**model.provenance, "fidelity": model.fidelity},
        "edge_sr_measured": "file to renamed PNG and sidecar, session open, no spinning",
        "reference_measured": "array to array: AutoencoderKL (random weights), UNet-lite, 300 DDPM steps, eager torch",
    }


def as_text(report: dict[str, Any]) -> str:
    """The report for people: conditions, one line a chain, the phases of ours, the ratio."""
    given, ours, reference = report["conditions"], report["edge_sr"], report["reference"]
    loads = " ".join(f"{load:.2f}" for load in given["load_average_before"])
    rows = [("edge-sr, file to file", ours), ("published chain, array to array", reference)]
    return "\n".join(
        [
            f"{given['cpu']}, {given['cores']} cores, threads each: {given['threads']}, load before {loads}",
            ", ".join(f"{name} {number}" for name, number in given["versions"].items()),
            "{model}, {sampler}, steps {steps}, fidelity {fidelity}, {precision}".format(**given["model"]),
            "",
            f"{'':32}{'runs':>6}{'p50 ms':>12}{'p90 ms':>12}",
            *(f"{name:32}{row['runs']:6}{row['p50_ms']:12.2f}{row['p90_ms']:12.2f}" for name, row in rows),
            "",
            "phases of edge-sr, p50 ms: " + ", ".join(f"{name} {ms:.2f}" for name, ms in ours["phases_p50_ms"].items()),
            f"{report['ratio']} times faster (asked for: {report['bar']})",
        ]
    )


def load_reference() -> tuple[Reference, int]:
    """The published chain, its memory and kernels warmed up, and how many threads it has."""
    try:
        from benchmarks.peers import published_chain
    except ModuleNotFoundError as error:
        what = f"the published chain needs the package {error.name}"
        raise EnvironmentFault(what, hint="make bench-published, which installs it") from error
    reference = partial(published_chain.super_resolve, published_chain.build_chain())
    reference(np.zeros((64, 64), np.uint8), num_inference_steps=2)
    return reference, published_chain.threads()


@click.command()
@click.option("--bundle", type=click.Path(path_type=Path), help="Bundle folder.  [default: the one that ships]")
@click.option("--runs", type=click.IntRange(1), default=50, show_default=True, help="Pictures of ours in a round.")
@click.option(
    "--reference-runs", type=click.IntRange(1), default=3, show_default=True, help="Rounds, one reference run each."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=ROOT / "benchmarks" / "results" / "against_published_chain.json",
    help="Where the figures go.  [default: benchmarks/results/against_published_chain.json]",
)
def command(bundle: Path | None, runs: int, reference_runs: int, out: Path) -> None:
    """Time one 64x64 PNG against the published chain of 300 steps, side by side."""
    opened = Bundle.open(bundle or default_bundle())  # before torch is loaded: a wrong path is told at once
    load_before = os.getloadavg()
    reference, threads = load_reference()
    with (
        LatentDiffusion(opened, OnnxRuntime(threads, spinning=False)) as model,
        tempfile.TemporaryDirectory() as folder,
    ):
        given = conditions(model, threads, load_before)
        timings = measure(model, reference, Path(folder), runs=runs, rounds=reference_runs)
    report = {
        "schema_version": 1,
        "benchmark": "against_published_chain",
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "conditions": given,
        **summarise(timings),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, (json.dumps(report, indent=2) + "\n").encode(), overwrite=True)
    click.echo(as_text(report))
    click.echo(f"written to {out}")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))  # Python puts this folder there; benchmarks itself is not installed
    sys.exit(guarded(lambda: command(standalone_mode=False)))
