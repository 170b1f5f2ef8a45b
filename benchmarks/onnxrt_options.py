"""How ONNX Runtime's options change the time of one picture on this machine, and with it what the defaults should be.

    python benchmarks/onnxrt_options.py

For the float32 network of the bundle and its int8 engine (built into a cache of its own): every number of threads, and
three ways for a thread to wait for work.

 - always: it spins, for a while also after a run has ended. This is ONNX Runtime's own default.
 - in a run: it spins until the run ends, ``OnnxRuntime(spinning=True)``.
 - never: it sleeps, ``OnnxRuntime()``.

Each of them alone; with a second session of the same kind that runs in turn with the timed one, as two models in one
process do; and beside another process that keeps one core busy. All are taken in turn, round by round, each with its
sessions newly opened, since a session that merely lives may disturb the others. At the end stands what IOBinding
changes: the output in an array of the caller's, against a new one and against a copy of it.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))  # Python puts this folder there; benchmarks itself is not installed

from build_engines.build import Request, build  # noqa: E402
from build_engines.check.pictures import build_pictures  # noqa: E402
from build_engines.targets.onnxrt import OnnxRuntimeTarget  # noqa: E402
from edge_sr import __version__  # noqa: E402
from edge_sr.artifacts.bundle import Bundle, default_bundle  # noqa: E402
from edge_sr.artifacts.chain import chain_of  # noqa: E402
from edge_sr.backends.onnxrt import OnnxRuntime, OnnxSession  # noqa: E402
from edge_sr.cli.exit_codes import guarded  # noqa: E402
from edge_sr.device.cores import usable_physical_cores  # noqa: E402
from edge_sr.device.facts import read_facts  # noqa: E402
from edge_sr.image.atomic import write_atomically  # noqa: E402
from edge_sr.image.phantom import chest_phantom  # noqa: E402
from edge_sr.image.radiograph import to_unit  # noqa: E402
from edge_sr.tensors import Tensors  # noqa: E402
from edge_sr.timing import side_by_side  # noqa: E402

RESULT = ROOT / "benchmarks" / "results" / "onnxrt_options.json"
ALWAYS, IN_A_RUN, NEVER = WAITING = ("always", "in a run", "never")
SITUATIONS = ("alone", "second session in turn", "beside a busy process")
ROUNDS, CALLS, WARMUP = 6, 12, 3
PACKAGES = ("onnxruntime", "numpy")
BUSY = "while True: pass"


class Spinning(OnnxRuntime):
    """As ONNX Runtime is by itself: threads go on spinning after a run."""

    def _options(self) -> Any:
        options = super()._options()
        options.add_session_config_entry("session.force_spinning_stop", "0")
        return options


@dataclass(frozen=True)
class Variant:
    """One row of the report. network: "fp32" or "int8"."""

    network: str
    threads: int
    waiting: str

    def open(self, networks: dict[str, Path]) -> OnnxSession:
        kind = Spinning if self.waiting == ALWAYS else OnnxRuntime
        return kind(self.threads, spinning=self.waiting != NEVER).open(networks[self.network])


def variants(networks: dict[str, Path], cores: int) -> list[Variant]:
    """One thread waits for nobody, so for it there is one row."""
    counts = sorted({1, cores, *(n for n in (2, 3, 4, 6, 8, 12, 16) if n < cores)})
    rows = ((name, n, waiting) for name in networks for n in counts for waiting in (WAITING if n > 1 else (NEVER,)))
    return [Variant(*row) for row in rows]


def measure(
    networks: dict[str, Path], feeds: Tensors, *, cores: int, rounds: int = ROUNDS, calls: int = CALLS
) -> list[dict[str, Any]]:
    """A record for each variant: the median milliseconds of a run in each of SITUATIONS."""
    rows = variants(networks, cores)
    taken: dict[tuple[Variant, str], list[float]] = {(row, where): [] for row in rows for where in SITUATIONS}
    for _ in range(rounds):
        for situation in SITUATIONS:
            with _busy_process() if situation == SITUATIONS[2] else nullcontext():
                for row in rows:
                    taken[row, situation] += _times(row, networks, feeds, situation == SITUATIONS[1], calls)
    medians = {key: round(statistics.median(times), 3) for key, times in taken.items()}
    return [
        {"network": row.network, "threads": row.threads, "waiting": row.waiting}
        | {"p50_ms": {situation: medians[row, situation] for situation in SITUATIONS}}
        for row in rows
    ]


def _times(row: Variant, networks: dict[str, Path], feeds: Tensors, second: bool, calls: int) -> list[float]:
    times = []
    with ExitStack() as stack:
        session = stack.enter_context(row.open(networks))
        other = stack.enter_context(row.open(networks)) if second else None
        for number in range(WARMUP + calls):
            if other is not None:
                other.run(feeds)
            start = time.perf_counter()
            session.run(feeds)
            if number >= WARMUP:
                times.append((time.perf_counter() - start) * 1e3)
    return times


@contextmanager
def _busy_process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", BUSY]) as process:
        try:
            yield process
        finally:
            process.kill()


def binding(network: Path, feeds: Tensors, *, rounds: int = 100) -> dict[str, float]:
    """The median milliseconds of a run by where its output goes, with one thread, so that little else differs."""
    with OnnxRuntime(1).open(network) as session:
        out = {name: np.empty_like(array) for name, array in session.run(feeds).items()}

        def copied() -> None:
            for name, array in session.run(feeds).items():
                np.copyto(out[name], array)

        calls = {
            "a new array": lambda: session.run(feeds),
            "a new array, copied": copied,
            "bound to the caller's array": lambda: session.run(feeds, out=out),
        }
        return {name: round(ms, 4) for name, ms in side_by_side(calls, rounds=rounds).items()}


def int8_engine(bundle: Bundle, cache: Path, *, threads: int | None = None) -> Path:
    """Built for this machine and so many threads, without a look at the caches that ``edge-sr run`` reads."""
    target = OnnxRuntimeTarget(OnnxRuntime(threads, spinning=False))
    request = Request(chain_of(bundle), "int8", target, cache, build_pictures(bundle.manifest))
    return build(request, tell=lambda line: click.echo(line, err=True)).entry.engines()["upscale"]


def conditions(bundle: Bundle, load_before: tuple[float, float, float]) -> dict[str, Any]:
    """What the figures hold for. load_before: load averages before anything of ours ran."""
    facts = read_facts()
    return {
        "cpu": facts.cpu_model or facts.machine,
        "int8_instructions": list(facts.cpu_features or ()),
        "physical_cores_to_use": usable_physical_cores(),
        "load_average_before": [round(load, 2) for load in load_before],
        "versions": {
            "python": platform.python_version(),
            "edge-sr": __version__,
            "onnxruntime": version("onnxruntime"),
        },
        "bundle": f"{bundle.manifest.name} {bundle.manifest.version}",
        "timed": f"one 64x64 tile, array to array, in turn, median of {CALLS} calls a round",
    }


@click.command()
@click.option("--bundle", type=click.Path(path_type=Path), help="Bundle folder.  [default: the one that ships]")
@click.option("--without-int8", is_flag=True, help="Float32 alone, without a build.")
@click.option("--rounds", type=click.IntRange(1), default=ROUNDS, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=RESULT, help="[default: results/onnxrt_options.json]")
def command(bundle: Path | None, without_int8: bool, rounds: int, out: Path) -> None:
    """Measure threads, spinning and IOBinding side by side."""
    load_before = os.getloadavg()
    opened = Bundle.open(bundle or default_bundle())
    latents = opened.manifest.networks["upscale"].inputs[1].shape[1:]
    lr = to_unit(chest_phantom(64, seed=1))
    feeds = {"lr": lr, "noise": np.zeros((1, *map(int, latents)), np.float32)}
    with tempfile.TemporaryDirectory() as cache:
        networks = {"fp32": opened.path("upscale")}
        if not without_int8:
            networks["int8"] = int8_engine(opened, Path(cache))
        told: dict[str, Any] = {
            "schema_version": 1,
            "benchmark": "onnxrt_options",
            "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "conditions": conditions(opened, load_before) | {"rounds": rounds},
            "rows": measure(networks, feeds, cores=usable_physical_cores(), rounds=rounds),
            "output_p50_ms": {name: binding(network, feeds) for name, network in networks.items()},
        }
    write_atomically(out, (json.dumps(told, indent=1) + "\n").encode(), overwrite=True)
    for row in told["rows"]:
        times = ", ".join(f"{situation} {ms:.2f}" for situation, ms in row["p50_ms"].items())
        click.echo(f"{row['network']}, {row['threads']} threads, spinning {row['waiting']}: {times} ms")
    click.echo(f"written to {out}")


if __name__ == "__main__":
    sys.exit(guarded(lambda: command(standalone_mode=False)))
