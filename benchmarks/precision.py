"""What each precision costs and gains: the builds of ``edge-sr build`` side by side, on pictures with ground truth.

    python benchmarks/precision.py --set validation=pairs/validation/HR_256 --set test=pairs/test/HR_256

Beside the builds stand two graphs that show something: INT8 with one range a layer for all steps of the sampler, and
the graph for TensorRT (INT8 on FP16, symmetric), computed by ONNX Runtime as it is written. The latter is the numerical
evidence for a device; its time says nothing about one.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
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
from build_engines.chain_graphs import Graphs, float_graphs, running  # noqa: E402
from build_engines.check.comparison import against_truth, answers, compare, lr_of  # noqa: E402
from build_engines.check.pictures import build_pictures, hr_pictures  # noqa: E402
from build_engines.makers import MAKERS  # noqa: E402
from build_engines.precision.quantiser import Quantiser  # noqa: E402
from build_engines.ranges.find import ranges_for  # noqa: E402
from build_engines.targets.onnxrt import OnnxRuntimeTarget  # noqa: E402
from calibration.steps import shared_over_steps  # noqa: E402
from edge_sr import __version__  # noqa: E402
from edge_sr.artifacts.bundle import Bundle, default_bundle  # noqa: E402
from edge_sr.artifacts.chain import Chain, chain_of  # noqa: E402
from edge_sr.backends.onnxrt import OnnxRuntime  # noqa: E402
from edge_sr.cli.exit_codes import guarded  # noqa: E402
from edge_sr.device.facts import read_facts  # noqa: E402
from edge_sr.image.atomic import write_atomically  # noqa: E402
from edge_sr.models import open_model  # noqa: E402
from edge_sr.models.base import SRModel  # noqa: E402
from edge_sr.models.engines import networks_of  # noqa: E402
from edge_sr.models.seeded import seeded  # noqa: E402
from edge_sr.timing import side_by_side  # noqa: E402

RESULT = ROOT / "benchmarks" / "results" / "precision.json"
STEPS = (1, 4)
FIDELITIES = (1.0, 0.0)
SHARED, FOR_TENSORRT = "int8, one range for all steps", "int8 for tensorrt, in onnxruntime"
PACKAGES = ("onnxruntime", "onnx", "numpy")
ROUNDS = 50

Sets = Mapping[str, np.ndarray]
"""name -> (n, 1, H, W) HR pictures."""
Tell = Callable[[str], None]


def measure(
    bundle: Bundle,
    sets: Sets,
    *,
    threads: int | None,
    tell: Tell,
    all_steps: Sequence[int] = STEPS,
    precisions: Sequence[str] = tuple(MAKERS),
) -> list[dict[str, Any]]:
    """One record for each number of steps. precisions: what is built, float32 among it."""
    records = []
    for steps in all_steps:
        chain = chain_of(bundle, steps=steps)
        with tempfile.TemporaryDirectory() as cache, ExitStack() as stack:
            rows = dict(_rows(chain, precisions, Path(cache), stack, threads, tell))
            models = {name: model for name, (model, _) in rows.items()}
            ms = side_by_side({name: _one_call(model, sets) for name, model in models.items()}, rounds=ROUNDS)
            scores = {name: _scores(models["fp32"], model, sets) for name, model in models.items()}
        table = [
            {"name": name, "p50_ms": round(ms[name], 3), "speedup": round(ms["fp32"] / ms[name], 3), **facts}
            | {"sets": scores[name]}
            for name, (_, facts) in rows.items()
        ]
        records.append({"sampler": chain.sampler, "steps": steps, "rows": table})
    return records


Row = tuple[str, tuple[SRModel, dict[str, Any]]]
"""Its name, the model, and what is known of it before it runs."""


def _rows(
    chain: Chain, precisions: Sequence[str], cache: Path, stack: ExitStack, threads: int | None, tell: Tell
) -> Iterator[Row]:
    """Every build, then the graphs that show something."""
    backend = OnnxRuntime(threads, spinning=False)
    pictures = build_pictures(chain.bundle.manifest)
    for precision in precisions:
        request = Request(chain, precision, OnnxRuntimeTarget(backend), cache, pictures, threads=threads)
        manifest = (entry := build(request, tell=tell).entry).manifest
        size = sum(engine.bytes for engine in manifest.engines.values())
        networks = networks_of(entry)
        model = open_model(chain.bundle, backend, sampler=chain.sampler, steps=chain.steps, networks=networks)
        facts = {"precision": manifest.precision, "bytes": size, "high": list(manifest.high)}
        yield precision, (stack.enter_context(model), facts)
    for name, graphs in _graphs(chain).items():
        literal = OnnxRuntime(threads, spinning=False, fused_pairs=name != FOR_TENSORRT)
        size = sum(model.ByteSize() for model in graphs.values())
        opened = stack.enter_context(running(chain, graphs, literal, precision="int8"))
        yield name, (opened, {"precision": "int8", "bytes": size, "high": []})


def _graphs(chain: Chain) -> dict[str, Graphs]:
    graphs = float_graphs(chain)
    table = ranges_for(chain, graphs, lambda: build_pictures(chain.bundle.manifest).calibration).table
    own = Quantiser.of(graphs, table, "onnxruntime")
    for_tensorrt = Quantiser.of(graphs, table, "tensorrt")
    return {
        SHARED: replace(own, ranges=shared_over_steps(own.ranges)).graphs(),
        FOR_TENSORRT: for_tensorrt.graphs(),
    }


def _one_call(model: SRModel, sets: Sets) -> Callable[[], object]:
    """A single tile at fidelity 1, array to array."""
    pictures = lr_of(next(iter(sets.values()))[:1], model.scale)
    return lambda: seeded(model, pictures.lr, pictures.noise_seeds, 1.0)


def _scores(reference: SRModel, model: SRModel, sets: Sets) -> dict[str, list[dict[str, float]]]:
    """By set, a record a fidelity: means over its pictures, and how far they are from float32."""
    return {name: _of_set(reference, model, hr) for name, hr in sets.items()}


def _of_set(reference: SRModel, model: SRModel, hr: np.ndarray) -> list[dict[str, float]]:
    lr = lr_of(hr, model.scale)
    truth = against_truth(reference, model, hr, fidelities=FIDELITIES)
    near = compare(answers(reference, lr, FIDELITIES), answers(model, lr, FIDELITIES))
    return [
        {
            "fidelity": row.fidelity,
            "pictures": row.pictures,
            **{name: round(value, 5) for name, value in row.candidate.items()},
            **{f"{name}_change": round(row.change(name), 5) for name in row.candidate},
            "psnr_to_fp32_db": round(to_fp32.psnr_db, 2),
            "mean_shift": round(to_fp32.mean_shift, 4),
        }
        for row, to_fp32 in zip(truth, near, strict=True)
    ]


def conditions(bundle: Bundle, threads: int | None, load_before: tuple[float, float, float]) -> dict[str, Any]:
    """What the figures hold for. load_before: load averages before anything of ours ran."""
    facts = read_facts()
    return {
        "cpu": facts.cpu_model or facts.machine,
        "int8_instructions": list(facts.cpu_features or ()),
        "cores": facts.cores,
        "threads": threads or facts.cores,
        "load_average_before": [round(load, 2) for load in load_before],
        "versions": {"python": platform.python_version(), "edge-sr": __version__}
        | {name: version(name) for name in PACKAGES},
        "bundle": f"{bundle.manifest.name} {bundle.manifest.version}",
        "bundle_sha256": bundle.sha256,
        "timed": f"one 64x64 tile at fidelity 1, array to array, in turn without spinning, median of {ROUNDS}",
    }


def _named_folder(words: tuple[str, ...]) -> dict[str, Path]:
    named = [word.partition("=") for word in words]
    if any(not folder for _, _, folder in named):
        raise click.BadParameter("expected NAME=FOLDER", param_hint="--set")
    return {name: Path(folder) for name, _, folder in named}


@click.command()
@click.option("--bundle", type=click.Path(path_type=Path), help="Bundle folder.  [default: the one that ships]")
@click.option("--set", "sets", multiple=True, required=True, metavar="NAME=FOLDER", help="HR pictures. Repeatable.")
@click.option("--threads", type=click.IntRange(1), help="[default: all cores]")
@click.option(
    "--out", type=click.Path(path_type=Path), default=RESULT, help="[default: benchmarks/results/precision.json]"
)
def command(bundle: Path | None, sets: tuple[str, ...], threads: int | None, out: Path) -> None:
    """Build the bundle in every precision, and measure speed and quality side by side."""
    load_before = os.getloadavg()
    opened = Bundle.open(bundle or default_bundle())
    pictures = {name: hr_pictures(folder, opened.manifest) for name, folder in _named_folder(sets).items()}
    report = {
        "schema_version": 1,
        "benchmark": "precision",
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "conditions": conditions(opened, threads, load_before),
        "chains": measure(opened, pictures, threads=threads, tell=lambda line: click.echo(line, err=True)),
    }
    write_atomically(out, (json.dumps(report, indent=1) + "\n").encode(), overwrite=True)
    click.echo(f"written to {out}")


if __name__ == "__main__":
    sys.exit(guarded(lambda: command(standalone_mode=False)))
