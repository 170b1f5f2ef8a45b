"""What edge-sr itself takes for one picture, array in to array out: everything around a network that computes nothing.

    python benchmarks/host_time.py

Measured is ``pipeline.upscale`` of one 64x64 picture in steady state, as ``edge-sr run`` calls it for a folder: to
float, the call of the model, to integers, the projection's figure and the provenance. The session is a stub whose
output is there already: it checks its feeds and writes nothing, as a network would write by itself. No decoding, no
encoding, no inference. Beside it stand the same with noise, and what a line of the latency log takes, which comes after
the picture is written, and a call of the TensorRT session around libraries that do nothing (benchmarks/idle_gpu.py).
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))  # Python puts this folder there; benchmarks itself is not installed

from benchmarks.idle_gpu import run_ms  # noqa: E402
from edge_sr import __version__  # noqa: E402
from edge_sr.artifacts.bundle import Bundle, default_bundle  # noqa: E402
from edge_sr.backends.base import stream_by_run  # noqa: E402
from edge_sr.cli.exit_codes import guarded  # noqa: E402
from edge_sr.cli.run_log import record  # noqa: E402
from edge_sr.cli.run_report import Outcome  # noqa: E402
from edge_sr.device.facts import read_facts  # noqa: E402
from edge_sr.device.latency_log import LatencyLog  # noqa: E402
from edge_sr.device.power.recorder import Recorder  # noqa: E402
from edge_sr.errors import EdgeSRError  # noqa: E402
from edge_sr.image.atomic import write_atomically  # noqa: E402
from edge_sr.image.phantom import chest_phantom  # noqa: E402
from edge_sr.image.radiograph import Radiograph  # noqa: E402
from edge_sr.models import open_model  # noqa: E402
from edge_sr.pipeline import Workspace, upscale  # noqa: E402
from edge_sr.tensors import Tensors, check_feeds  # noqa: E402
from edge_sr.timing import Phases  # noqa: E402

RESULT = ROOT / "benchmarks" / "results" / "host_time.json"
BAR_MS = 0.3
ROUNDS, WARMUP = 3000, 300
SOURCE = Radiograph(chest_phantom(64, seed=1), 8, "0" * 64)


class Stub:
    """A backend whose networks compute nothing, and its own session."""

    name, version = "stub", "1"

    def __init__(self, bundle: Bundle) -> None:
        network = bundle.manifest.networks["upscale"]
        self.inputs, self.outputs = network.inputs, network.outputs
        self.times: dict[str, float] = {}

    def open(self, artifact: Path) -> Stub:
        return self

    def run(self, feeds: Tensors, *, out: Tensors | None = None) -> Tensors:
        check_feeds(self.inputs, feeds)
        if out is None:
            raise EdgeSRError("the stub has no array of its own", expected="out")
        return out

    def stream(self, feeds: Iterable[Tensors]) -> Iterator[Tensors]:
        return stream_by_run(self, feeds)

    def close(self) -> None:
        """Nothing is open."""

    def __enter__(self) -> Stub:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def measure(bundle: Bundle, *, rounds: int = ROUNDS, warmup: int = WARMUP) -> dict[str, Any]:
    """Milliseconds by what was called: p50, p90 and p99 of each, taken in turn; and the phases of the first."""
    phases: list[dict[str, float]] = []
    with open_model(bundle, Stub(bundle)) as model, tempfile.TemporaryDirectory() as folder:
        workspace = Workspace()
        workspace.array((1, 1, 256, 256))[:] = 0.5  # what the stub's network has written

        def picture(fidelity: float) -> Outcome:
            told = Phases()
            result = upscale(SOURCE, model, fidelity=fidelity, phases=told, workspace=workspace)
            phases.append(told.ms)
            return Outcome(Path("chest.png"), "done", result=result, phases=told)

        example = picture(1.0)
        with Recorder(None) as recorder, LatencyLog(Path(folder) / "run.jsonl", recorder) as log:

            def line() -> None:
                now_s = time.perf_counter()
                log.picture(record(example, 1.0), start_s=now_s, end_s=now_s)

            calls: dict[str, Callable[[], object]] = {
                "picture": lambda: picture(1.0),
                "picture_with_noise": lambda: picture(0.0),
                "log_line": line,
            }
            taken = _in_turn(calls, rounds, warmup)
    of_first = phases[1 + 2 * warmup :: 2]
    medians = {name: round(float(np.median([ms[name] for ms in of_first])), 4) for name in of_first[0]}
    taken["tensorrt_session"] = run_ms(runs=rounds, warm_up=warmup)
    return {**{name: _percentiles(times) for name, times in taken.items()}, "phases_p50_ms": medians}


def _in_turn(calls: Mapping[str, Callable[[], object]], rounds: int, warmup: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(warmup + rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if number >= warmup:
                taken[name].append((time.perf_counter() - start) * 1e3)
    return taken


def _percentiles(times: list[float]) -> dict[str, float]:
    return {f"p{each}_ms": round(float(np.percentile(times, each)), 4) for each in (50, 90, 99)}


def report(bundle: Bundle, load_before: tuple[float, float, float]) -> dict[str, Any]:
    """With the conditions. load_before: load averages before anything of ours ran."""
    facts, figures = read_facts(), measure(bundle)
    return {
        "schema_version": 1,
        "benchmark": "host_time",
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "conditions": {
            "cpu": facts.cpu_model or facts.machine,
            "cores": facts.cores,
            "load_average_before": [round(load, 2) for load in load_before],
            "versions": {"python": sys.version.split()[0], "edge-sr": __version__, "numpy": np.__version__},
            "bundle": f"{bundle.manifest.name} {bundle.manifest.version}",
            "timed": f"one 64x64 picture around a stub session, array to array, in turn, {ROUNDS} calls each",
        },
        "calls": figures,
        "bar_ms": BAR_MS,
        "bar_held": figures["picture"]["p50_ms"] <= BAR_MS,
    }


@click.command()
@click.option("--bundle", type=click.Path(path_type=Path), help="Bundle folder.  [default: the one that ships]")
@click.option(
    "--out", type=click.Path(path_type=Path), default=RESULT, help="[default: benchmarks/results/host_time.json]"
)
def command(bundle: Path | None, out: Path) -> None:
    """Measure what one picture costs beside its network."""
    load_before = os.getloadavg()
    told = report(Bundle.open(bundle or default_bundle()), load_before)
    write_atomically(out, (json.dumps(told, indent=1) + "\n").encode(), overwrite=True)
    for name, ms in told["calls"].items():
        click.echo(f"{name}: " + ", ".join(f"{each.removesuffix('_ms')} {value:.4f}" for each, value in ms.items()))
    click.echo(f"written to {out}")


if __name__ == "__main__":
    sys.exit(guarded(lambda: command(standalone_mode=False)))
