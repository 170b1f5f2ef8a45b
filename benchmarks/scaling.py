"""How the cost of a picture grows with its pixels, tiles, steps and the batch, and what a large one takes.

    python benchmarks/scaling.py            writes benchmarks/results/scaling.json
    python benchmarks/scaling.py --quick    few points and calls, told only

The default bundle as int8 engine, and for the steps also in float32, all array to array with the session open, in
turn. To each curve an exponent is fitted (benchmarks/power_law.py). At the end ``edge-sr run`` as a process makes a
picture of 3000x3000 into one of 12000x12000, the default for --max-pixels untouched, and one of 750x750 into one of
3000x3000: a picture of that size may be meant at either end.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

import click
import cv2

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))  # Python puts this folder there; benchmarks itself is not installed

from benchmarks import rounds as turns  # noqa: E402
from benchmarks.ours import engines_in  # noqa: E402
from benchmarks.power_law import LEAST_POINTS, fit  # noqa: E402
from benchmarks.scaling_text import as_text, bars  # noqa: E402
from build_engines.build import Request, build  # noqa: E402
from build_engines.check.pictures import build_pictures  # noqa: E402
from build_engines.targets.onnxrt import OnnxRuntimeTarget  # noqa: E402
from edge_sr.artifacts.bundle import Bundle, default_bundle  # noqa: E402
from edge_sr.artifacts.chain import chain_of  # noqa: E402
from edge_sr.backends.onnxrt import OnnxRuntime  # noqa: E402
from edge_sr.bench.inputs import batch_of  # noqa: E402
from edge_sr.bench.latency import times_of  # noqa: E402
from edge_sr.bench.process import RUN, TELLING  # noqa: E402
from edge_sr.bench.surroundings import Surroundings as Machine  # noqa: E402
from edge_sr.bench.turns import Timed  # noqa: E402
from edge_sr.cli.exit_codes import guarded  # noqa: E402
from edge_sr.image.atomic import write_atomically  # noqa: E402
from edge_sr.image.phantom import chest_phantom  # noqa: E402
from edge_sr.image.png import write_png  # noqa: E402
from edge_sr.image.radiograph import Radiograph  # noqa: E402
from edge_sr.image.tiling import plan_tiles  # noqa: E402
from edge_sr.models import open_model  # noqa: E402
from edge_sr.models.base import SRModel  # noqa: E402
from edge_sr.models.engines import networks_of  # noqa: E402
from edge_sr.pipeline import OVERLAP, Workspace, upscale  # noqa: E402

RESULT = ROOT / "benchmarks" / "results" / "scaling.json"
CACHE = ROOT / "runs" / "bench"
TILE = 64
LARGEST_DRAWN = 512  # side of a phantom
SEVERAL = 9  # tiles: from there on what is paid once for a picture hardly counts
LARGE, LARGE_OUT = 3000, 750  # LR sides of the large pictures: 3000 in, and 3000 out
MB_OF_KIB = 1.024e-3

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Points:
    """What is measured. sides: of square LR pictures. batches: tiles a call. steps: of each precision. large: LR sides
    of the pictures that are made end to end, large_runs times each.
    """

    sides: Sequence[int] = (64, 96, 128, 192, 256, 384, 512, 768, 1024)
    batches: Sequence[int] = (1, 2, 3, 4, 6, 8, 12, 16)
    steps: tuple[tuple[str, Sequence[int]], ...] = (("int8", (1, 2, 4, 8)), ("fp32", (1, 2, 4, 8, 16)))
    large: Sequence[int] = (LARGE, LARGE_OUT)
    large_runs: int = 3
    rounds: int = turns.ROUNDS
    turn_s: float = turns.TURN_S


QUICK = Points((64, 128, 192), (1, 2, 4), (("int8", (1, 2, 4)),), (LARGE_OUT,), 1, rounds=2, turn_s=0.2)


@dataclass(frozen=True)
class Curve:
    """One kind of growth. amounts: by name of the call in ``calls``; of: what is counted."""

    name: str
    of: str
    amounts: Mapping[str, int]


def measure(bundle: Bundle, cache: Path, points: Points, tell: Tell) -> dict[str, Any]:
    """The curves, all points of all of them in turn. cache: for engines."""
    with ExitStack() as stack:
        models = dict(_models(bundle, cache, points, stack, tell))
        calls, curves = _calls(models, points)
        entrants = [turns.warmed(name, call, turn_s=points.turn_s) for name, call in calls.items()]
        tell(f"{points.rounds} rounds of {len(entrants)} points")
        turns.in_rounds(entrants, failed=_raise, rounds=points.rounds, turn_s=points.turn_s)
    return {curve.name: _told(curve, calls) for curve in curves}


def _models(
    bundle: Bundle, cache: Path, points: Points, stack: ExitStack, tell: Tell
) -> Iterator[tuple[tuple[str, int], SRModel]]:
    """By precision and steps, open; each one graph, so that they differ in nothing else."""
    backend = OnnxRuntime(spinning=False)
    for precision, all_steps in points.steps:
        for steps in all_steps:
            chain = chain_of(bundle, steps=steps)
            request = Request(chain, precision, OnnxRuntimeTarget(backend), cache, build_pictures(bundle.manifest))
            tell(f"building {precision}, {chain}")
            networks = networks_of(build(request, tell=lambda line: None).entry)
            model = open_model(bundle, backend, sampler=chain.sampler, steps=steps, networks=networks)
            yield (precision, steps), stack.enter_context(model)


def _calls(models: Mapping[tuple[str, int], SRModel], points: Points) -> tuple[dict[str, Timed], list[Curve]]:
    default = models["int8", 1]
    sides = {f"{side}x{side}": side for side in points.sides}
    calls = {name: _picture(default, side) for name, side in sides.items()}
    tiles = {name: len(plan_tiles(side, side, tile=TILE, overlap=OVERLAP).origins) for name, side in sides.items()}
    batches = {f"batch of {count}": count for count in points.batches}
    calls |= {name: _batch(default, count) for name, count in batches.items()}
    curves = [
        Curve("pixels", "pixels of the LR picture", {name: side**2 for name, side in sides.items()}),
        Curve("tiles", "tiles of the picture", tiles),
        Curve("batch", "tiles in one call of the network", batches),
    ]
    for precision, all_steps in points.steps:
        steps = {f"{precision}, {count} steps": count for count in all_steps}
        calls |= {name: _picture(models[precision, count], TILE) for name, count in steps.items()}
        curves.append(Curve(f"steps, {precision}", "denoising steps of one tile", steps))
    return calls, curves


def _picture(model: SRModel, side: int) -> Timed:
    picture, workspace = picture_of(side), Workspace()
    return Timed(lambda phases: upscale(picture, model, phases=phases, workspace=workspace))


def _batch(model: SRModel, count: int) -> Timed:
    lr = batch_of((TILE, TILE), count, model.channels)
    return Timed(lambda phases: model(lr, noise=None, fidelity=model.fidelity))


def _raise(name: str, error: Exception) -> None:
    raise error


def _told(curve: Curve, calls: Mapping[str, Timed]) -> dict[str, Any]:
    """The points of a curve, and what was fitted to them; where they are tiles, also to those of SEVERAL or more."""
    times = {name: times_of(calls[name].taken_ms, calls[name].phases) for name in curve.amounts}
    points: list[dict[str, Any]] = [
        {
            "name": name,
            "amount": amount,
            "calls": times[name].calls,
            "p50_ms": times[name].p50_ms,
            "p90_ms": times[name].p90_ms,
            "phases_p50_ms": dict(times[name].phases_p50_ms),
        }
        for name, amount in curve.amounts.items()
    ]
    several = [point for point in points if point["amount"] >= SEVERAL] if curve.name == "tiles" else []
    return {
        "of": curve.of,
        "points": points,
        "fit": _fit(points),
        "fit_of_several": _fit(several) if len(several) >= LEAST_POINTS else None,
    }


def _fit(points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return asdict(fit([point["amount"] for point in points], [point["p50_ms"] for point in points]))


def large_picture(side: int, folder: Path, runs: int, tell: Tell) -> dict[str, Any]:
    """``edge-sr run`` of one square picture as a process: launch to end, its phases, and the most memory it held."""
    source, target = folder / f"{side}.png", folder / f"{side}_x4.png"
    write_png(source, picture_of(side).pixels, text={}, overwrite=True)
    seconds: list[float] = []
    peaks: list[float] = []
    for _ in range(runs):
        tell(f"edge-sr run, {side}x{side}")
        start_s = time.perf_counter()
        told = run_once(source, target)
        seconds.append(round(time.perf_counter() - start_s, 3))
        if isinstance(told, str):
            return {"lr": [side, side], "failed": told, "peak_mb": None}
        peaks.append(told)
    return {
        "lr": [side, side],
        "sr": [side * 4, side * 4],
        "tiles": len(plan_tiles(side, side, tile=TILE, overlap=OVERLAP).origins),
        "runs": runs,
        "seconds": seconds,
        "median_s": statistics.median(seconds),
        "peak_mb": round(max(peaks) * MB_OF_KIB, 1),
        "phases_ms": json.loads(target.with_suffix(".json").read_text())["phases_ms"],
        "failed": None,
    }


def run_once(source: Path, target: Path) -> float | str:
    """KiB that ``edge-sr run`` held in RAM at most; or why it failed."""
    words = ["run", str(source), "-o", str(target), "--overwrite", "--precision", "int8"]
    done = subprocess.run([sys.executable, "-c", TELLING + RUN, *words], capture_output=True, text=True, check=False)
    found = re.search(r"^VmHWM:\s+(\d+) kB$", done.stderr, re.MULTILINE)
    if done.returncode or found is None:
        return next(iter(done.stderr.splitlines()), f"exit code {done.returncode}")
    return int(found.group(1))


@cache
def picture_of(side: int) -> Radiograph:
    """A phantom; a large one is a smaller one enlarged, as drawing it takes minutes."""
    drawn = chest_phantom(min(side, LARGEST_DRAWN), seed=1)
    pixels = cv2.resize(drawn, (side, side), interpolation=cv2.INTER_CUBIC) if side > LARGEST_DRAWN else drawn
    return Radiograph(pixels, 8, "0" * 64)


def run(bundle: Bundle, cache: Path, points: Points, tell: Tell) -> dict[str, Any]:
    """The record."""
    machine = Machine()
    with engines_in(cache), tempfile.TemporaryDirectory() as folder:
        cache.mkdir(parents=True, exist_ok=True)
        curves = measure(bundle, cache, points, tell)
        large = [large_picture(side, Path(folder), points.large_runs, tell) for side in points.large]
    record: dict[str, Any] = {
        "schema_version": 1,
        "benchmark": "scaling",
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "quick": points == QUICK,
        "bundle": {"name": bundle.manifest.name, "version": bundle.manifest.version, "sha256": bundle.sha256},
        "conditions": asdict(machine.told()),
        "curves": curves,
        "large": large,
    }
    record["bars"] = [bar.to_json() for bar in bars(record)]
    return record


@click.command()
@click.option("--bundle", type=click.Path(path_type=Path), help="Bundle folder.  [default: the one that ships]")
@click.option("--quick", is_flag=True, help="Few points and calls: to see that everything runs.")
@click.option("--cache", type=click.Path(path_type=Path), default=CACHE, help="[default: runs/bench]")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Where the record goes.  [default: benchmarks/results/scaling.json; nowhere for --quick]",
)
def command(bundle: Path | None, quick: bool, cache: Path, out: Path | None) -> None:
    """Measure how the time of a picture grows, and what a large one takes."""
    opened = Bundle.open(bundle or default_bundle())
    points = QUICK if quick else Points()
    record = run(opened, cache.absolute() / "engines", points, lambda line: click.echo(line, err=True))
    click.echo(as_text(record))
    out = out or (None if quick else RESULT)
    if out is not None:
        write_atomically(out, (json.dumps(record, indent=1) + "\n").encode(), overwrite=True)
        click.echo(f"written to {out}")


if __name__ == "__main__":
    sys.exit(guarded(lambda: command(standalone_mode=False)))
