"""What the runtime's streams, buffers and CUDA graphs bring on this GPU, with real kernels and without TensorRT.

    python -m benchmarks.cuda_streams

The code is that of the TensorRT backend; the engine is a stand-in whose kernels take as long as one asks for
(benchmarks/kernel_engine). Three questions: are the results the same in every mode, do copies hide behind compute, and
what does a call cost the host, with and without a CUDA graph, with and without times. It takes an NVIDIA GPU and
PyCUDA.
"""

from __future__ import annotations

import json
import platform
import sys
import tempfile
import time
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np

from benchmarks.kernel_engine import Network, make_library, open_network
from edge_sr import __version__
from edge_sr.backends.cuda_driver import CudaDevice, probe
from edge_sr.backends.trt import EngineSession
from edge_sr.backends.trt.gpu import Gpu, import_pycuda
from edge_sr.backends.trt.graph import import_cuda_python
from edge_sr.backends.trt.parts import Parts
from edge_sr.backends.trt.ports import ports_of
from edge_sr.cli.exit_codes import guarded
from edge_sr.errors import EnvironmentFault
from edge_sr.image.atomic import write_atomically

RESULT = Path(__file__).with_name("results") / "cuda_streams.json"
CHECKED = Network(height=32, width=48, layers=4, rounds=3)
LARGE = {"height": 256, "width": 256}  # 0.5 MiB in, 4 MiB out
SMALL = {"height": 64, "width": 64}
PACKAGES = ("numpy", "pycuda", "cuda-python")
Timeline = dict[str, tuple[float, float]]


def same_in_every_mode(folder: Path) -> list[dict[str, Any]]:
    """Eight pictures by ``run`` and by ``stream`` in each mode against numpy, bit for bit."""
    rows = []
    feeds = [CHECKED.feeds(seed) for seed in range(8)]
    wanted = [CHECKED.expected(each)["sr"] for each in feeds]
    for zero_copy, graphs in product((False, True), repeat=2):
        with open_network(CHECKED, folder / "n", zero_copy=zero_copy, graphs=graphs) as session:
            results = [session.run(each)["sr"] for each in feeds] + [each["sr"] for each in session.stream(feeds)]
            same = all(np.array_equal(*pair) for pair in zip(results, wanted * 2, strict=True))
            rows.append({"zero_copy": zero_copy, "cuda_graph": session.cuda_graph, "equal_to_numpy": same})
    return rows


def overlap(folder: Path, *, pictures: int, compute_ms: float) -> dict[str, Any]:
    """A stream of large pictures against the same ones by ``run``; event times. compute_ms: about how long to compute.

    hidden: which share of the copies went on beside the compute of a neighbour, by the times of all begins and ends.
    """
    with open_network(Network(**LARGE, rounds=1000), folder / "n") as session:
        per_round_ms = _parts(session, Network(**LARGE), 5)["compute"] / 1000
    network = Network(**LARGE, rounds=max(1, int(compute_ms / max(per_round_ms, 1e-6))))
    with open_network(network, folder / "n") as session:
        parts = _parts(session, network, 10)
        feeds = [network.feeds(0)] * pictures
        lines = [dict(session.timeline()) for _ in session.stream(feeds)]
    first = [{name: [round(at, 4) for at in pair] for name, pair in line.items()} for line in lines[:4]]
    span_ms = max(line["copy_out"][1] for line in lines) - min(line["copy_in"][0] for line in lines)
    return {
        "pictures": pictures,
        "rounds": network.rounds,
        "parts_of_a_run_p50_ms": {name: round(ms, 4) for name, ms in parts.items()},
        "sum_of_parts_ms": round(sum(parts.values()), 4),
        "stream_per_picture_ms": round(span_ms / pictures, 4),
        "copies_hidden": round(hidden_share(lines), 3),
        "first_pictures_ms": first,
    }


def _parts(session: EngineSession, network: Network, runs: int) -> dict[str, float]:
    """The median of each part over some runs, after two that warm up."""
    feeds, taken = network.feeds(0), []
    for _ in range(2 + runs):
        session.run(feeds)
        taken.append({name: end - begin for name, (begin, end) in session.timeline().items()})
    return {name: median(each[name] for each in taken[2:]) for name in taken[0]}


def hidden_share(lines: list[Timeline]) -> float:
    """Of the time that copies took, the part in which a picture was computed meanwhile."""
    computes = [line["compute"] for line in lines]
    copies = [line[name] for line in lines for name in ("copy_in", "copy_out")]
    both = sum(max(0.0, min(a[1], b[1]) - max(a[0], b[0])) for a in copies for b in computes)
    return both / max(sum(end - begin for begin, end in copies), 1e-9)


def host_time(folder: Path, *, layers: int, runs: int) -> list[dict[str, Any]]:
    """Microseconds that the host needs to queue one call of a chain of short kernels, in each mode."""
    network, rows = Network(**SMALL, layers=layers), []
    for graphs, timed, zero_copy in product((False, True), repeat=3):
        mode = {"graphs": graphs, "timed": timed, "zero_copy": zero_copy}
        p50, p90 = np.percentile(_queue_us(network, folder / "n", runs, **mode), [50, 90]).tolist()
        rows.append({**mode, "p50_us": round(p50, 1), "p90_us": round(p90, 1)})
    return rows


def _queue_us(network: Network, path: Path, runs: int, *, graphs: bool, timed: bool, zero_copy: bool) -> list[float]:
    """Of ``Slot.submit`` alone: what comes before and after it is not about CUDA."""
    artifact = network.write(path)
    gpu = Gpu(0, artifact)
    parts, library = Parts(gpu), make_library(gpu.cuda)
    driver = import_cuda_python() if graphs else None
    feeds, taken_us = network.feeds(0), []
    try:
        with gpu:
            parts.open(library, artifact, timed=timed)
            library.of_handle.streams = parts.streams
            parts.add_slot(ports_of(library, parts.engine), zero_copy=zero_copy, graphs=driver)
            for _ in range(20 + runs):
                start = time.perf_counter()
                parts.slots[0].submit(feeds)
                taken_us.append((time.perf_counter() - start) * 1e6)
                parts.slots[0].wait()
    finally:
        parts.release()
    return taken_us[20:]


def measure(folder: Path, *, pictures: int = 64, compute_ms: float = 4.0, layers: int = 40, runs: int = 500) -> Any:
    """The whole report. EnvironmentFault where there is no GPU or no PyCUDA."""
    gpu, pycuda = probe(), import_pycuda()
    return {
        "schema_version": 1,
        "benchmark": "cuda_streams",
        "simulated": bool(getattr(pycuda, "__simulated__", False)),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "conditions": conditions(gpu),
        "same_in_every_mode": same_in_every_mode(folder),
        "overlap": overlap(folder, pictures=pictures, compute_ms=compute_ms),
        "host_time": {"launches": layers + 2, "runs": runs, "rows": host_time(folder, layers=layers, runs=runs)},
    }


def conditions(gpu: CudaDevice) -> dict[str, Any]:
    return {
        "gpu": gpu.name,
        "integrated": gpu.integrated,
        "compute_capability": gpu.compute_capability,
        "driver_cuda": gpu.cuda,
        "machine": platform.machine(),
        "versions": {"python": platform.python_version(), "edge-sr": __version__}
        | {name: _version(name) for name in PACKAGES},
        "engine": "stand-in: kernels of benchmarks/kernel_engine, no TensorRT",
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def as_text(report: dict[str, Any]) -> str:
    """The report for people."""
    given, streamed, host = report["conditions"], report["overlap"], report["host_time"]
    parts = ", ".join(f"{name} {ms:.3f}" for name, ms in streamed["parts_of_a_run_p50_ms"].items())
    hidden = f"{100 * streamed['copies_hidden']:.0f} % of the copies beside compute"
    lines = [
        "SIMULATED: nothing below is a measurement" if report["simulated"] else given["gpu"],
        given["engine"],
        *map(_mode_line, report["same_in_every_mode"]),
        f"one picture, ms: {parts}; sum {streamed['sum_of_parts_ms']:.3f}",
        f"in a stream of {streamed['pictures']}: {streamed['stream_per_picture_ms']:.3f} ms a picture, {hidden}",
        f"host time to queue {host['launches']} launches, us:",
        *map(_host_line, host["rows"]),
    ]
    return "\n".join(lines)


def _mode_line(row: dict[str, Any]) -> str:
    same = "equal to numpy" if row["equal_to_numpy"] else "NOT equal to numpy"
    return f"{'zero-copy' if row['zero_copy'] else 'copies':12}graph: {row['cuda_graph']:14}{same}"


def _host_line(row: dict[str, Any]) -> str:
    mode = ("zero-copy" if row["zero_copy"] else "copies", "graph" if row["graphs"] else "launches")
    told = f"{mode[0]:12}{mode[1]:12}{'timed' if row['timed'] else 'not timed':12}"
    return f"{told}p50 {row['p50_us']:8.1f}  p90 {row['p90_us']:8.1f}"


@click.command()
@click.option("--pictures", type=click.IntRange(4), default=64, show_default=True, help="Pictures in the stream.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=RESULT,
    help="Where the figures go.  [default: benchmarks/results/cuda_streams.json]",
)
def command(pictures: int, out: Path) -> None:
    """Overlap, CUDA graphs and zero-copy on this GPU, with real kernels."""
    with tempfile.TemporaryDirectory() as folder:
        report = measure(Path(folder), pictures=pictures)
    click.echo(as_text(report))
    if report["simulated"]:
        raise EnvironmentFault("this GPU is simulated: nothing is written", hint="a machine with an NVIDIA GPU")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, (json.dumps(report, indent=2) + "\n").encode(), overwrite=True)
    click.echo(f"written to {out}")


if __name__ == "__main__":
    sys.exit(guarded(lambda: command(standalone_mode=False)))
