"""Write the figures of README and docs from the results that commands have measured.

    python scripts/refresh_docs.py            writes them
    python scripts/refresh_docs.py --check    exits 1 where a document is behind its results
    python scripts/refresh_docs.py --measure  evaluates the default bundle first, half an hour of one core

A document holds a block between ``<!-- figures: NAME -->`` and ``<!-- end -->`` for each function in ``BLOCKS``.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import (  # noqa: E402
    bench_text,
    demo_text,
    families_text,
    natural_text,
    precision_text,
    scaling_text,
    soak_text,
)
from edge_sr.artifacts.bundle import Bundle, bundle_folder, default_bundle  # noqa: E402
from edge_sr.artifacts.chain import Networks, chain_of  # noqa: E402
from edge_sr.bench.roofline import devices, roofline_of  # noqa: E402
from edge_sr.bench.roofline.text import SUMMARY, summary_row, table  # noqa: E402
from edge_sr.bench.roofline.work import PRECISIONS  # noqa: E402
from edge_sr.cli.exit_codes import guarded  # noqa: E402
from host_training.evaluation.measure import evaluate  # noqa: E402
from host_training.evaluation.record import as_json, read_record  # noqa: E402
from host_training.evaluation.request import request  # noqa: E402
from host_training.evaluation.tables import markdown_tables  # noqa: E402

EVALUATION = ROOT / "benchmarks" / "results" / "evaluation.json"
BENCH = ROOT / "benchmarks" / "results" / "bench.json"
SCALING = ROOT / "benchmarks" / "results" / "scaling.json"
PRECISION = ROOT / "benchmarks" / "results" / "precision.json"
DEMO = ROOT / "benchmarks" / "results" / "demo.json"
NATURAL = ROOT / "benchmarks" / "results" / "natural.json"
FAMILIES = ROOT / "benchmarks" / "results" / "families.json"
DOCUMENTS = (
    "README.md",
    *(f"docs/{name}.md" for name in ("bench", "build", "demo", "evaluation", "reliability", "training")),
)
BLOCK = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
SETS, SCALES = ("nih-test", "hannover"), (256, 512)  # on which the default bundle is measured
SUMMARY_ROWS = {  # the default model's without the name of its bundle
    "bicubic": "bicubic",
    "regression": "feed-forward regression of about the same cost",
    "cxr-x4-fast/model_1": "edge-sr, `--model fast`",
    "model_1": "edge-sr, fidelity 1 (default)",
    "model_0.5": "edge-sr, fidelity 0.5",
    "model_0": "edge-sr, fidelity 0",
}


def read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text()))


def measure() -> None:
    """Evaluate the default bundle on EDGE_SR_DATA and keep the record."""
    folder = os.environ.get("EDGE_SR_DATA")
    wanted = request((), data_dir=Path(folder) if folder else None, sets=SETS, scales=SCALES)
    EVALUATION.write_text(as_json(evaluate(wanted).record))


def summary() -> str:
    """The rows a newcomer wants, of the held-out patients of the training hospital."""
    tested = read_record(EVALUATION)["sets"]["nih-test"]
    rows = {row["key"].rpartition("/")[2]: row for row in tested["scales"]["256"]["rows"]} | fast_rows(tested)
    lines = [
        "| | PSNR, dB | SSIM | HaarPSI_MED | LPIPS | LR-RMSE, worst |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for key, title in SUMMARY_ROWS.items():
        if m := rows.get(key, {}).get("metrics"):
            lines.append(
                f"| {title} | {m['psnr_db']['mean']:.2f} | {m['ssim']['mean']:.3f} "
                f"| {m['haarpsi_med']['mean']:.3f} | {m['lpips']['mean']:.3f} | {m['lr_rmse']['worst']:.3f} |"
            )
    return (
        f"{tested['pictures']} chest radiographs of {tested['patients']} patients the model never saw (NIH test "
        "split), 64x64 to 256x256, 8-bit outputs. LR-RMSE says, in grey levels of 255, how far the picture that agrees "
        "least is from its input; LPIPS (squeeze, v0.1) is better when lower.\n\n" + "\n".join(lines)
    )


def fast_rows(tested: dict[str, Any]) -> dict[str, Any]:
    """Of the feed-forward model, by their whole key, from the record that its bundle carries: of the same pictures."""
    measured = read(bundle_folder("fast") / "manifest.json")["evaluation"]["sets"]["nih-test"]
    assert measured["pictures"] == tested["pictures"], "both were measured on the whole split"
    return {row["key"]: row for row in measured["scales"]["256"]["rows"]}


def speed() -> str:
    """One picture of ours, and how many times longer the best known others take."""
    return bench_text.summary(read(BENCH))


def peers() -> str:
    """Everything that was timed in one run, with what it costs."""
    record = read(BENCH)
    head = f"{bench_text.conditions_line(record)}. *: random weights, which change no time. GMAC: one tile of 64x64."
    return f"{head}\n\n{bench_text.ratio_table(record)}"


def limit() -> str:
    """The judged variant against the roofline of the processor it was measured on."""
    return bench_text.limit(read(BENCH))


def boards() -> str:
    """What the default bundle could take on boards, predicted: from its graph and the file of devices alone."""
    bundle = Bundle.open(default_bundle())
    networks = Networks.of_bundle(chain_of(bundle))
    found = [roofline_of(bundle, networks, name, precision) for name in devices() for precision in PRECISIONS]
    first = found[0]
    head = (
        f"{first['bundle']} at its default steps, {first['operations'] / 1e9:.2f} G operations, one 64x64 picture. "
        "**Predicted, not measured.**"
    )
    return f"{head}\n\n{table(SUMMARY, map(summary_row, found))}"


def soak() -> str:
    """What the folder service was put through."""
    found = soak_text.read()
    return f"{soak_text.summary(found)}\n\n{soak_text.table(found)}"


def growth() -> str:
    """How the time of a picture grows."""
    record = read(SCALING)
    return "\n\n".join([scaling_text.fit_table(record), *scaling_text.large_lines(record)])


def evaluation() -> str:
    return markdown_tables(read_record(EVALUATION))


def cost() -> str:
    """Steps and hours of each stage, from the log that the default bundle carries."""
    log = read(default_bundle() / "training" / "log.json")
    lines = ["| stage | steps | minutes | last figures on the validation split |", "| --- | ---: | ---: | --- |"]
    for stage, records in log.items():
        minutes = max(record.get("seconds", 0) for record in records) / 60
        figures = [record for record in records if any(key.startswith("validation_") for key in record)]
        last = {k.removeprefix("validation_"): v for k, v in figures[-1].items() if k != "step"} if figures else {}
        shown = ", ".join(f"{name} {value:.3f}" for name, value in last.items())
        lines.append(f"| {stage} | {max(r['step'] for r in records)} | {minutes:.0f} | {shown} |")
    return "\n".join(lines)


BLOCKS: dict[str, Callable[[], str]] = {
    "summary": summary,
    "speed": speed,
    "peers": peers,
    "growth": growth,
    "limit": limit,
    "boards": boards,
    "natural": lambda: natural_text.table(read(NATURAL)),
    "soak": soak,
    "demo": lambda: demo_text.table(read(DEMO)),
    "precision": lambda: precision_text.tables(read(PRECISION)),
    "engines": lambda: precision_text.summary(read(PRECISION)),
    "evaluation": evaluation,
    "cost": cost,
    "families": lambda: families_text.tables(read_record(FAMILIES)),
}


def refreshed(text: str) -> str:
    """A document with every block made anew."""
    return BLOCK.sub(lambda found: f"{found[1]}{BLOCKS[found[2]]().rstrip()}\n{found[3]}", text)


def main() -> int:
    if "--measure" in sys.argv:
        measure()
    stale = []
    for name in DOCUMENTS:
        path = ROOT / name
        text = path.read_text()
        if refreshed(text) != text:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(refreshed(text))
    if stale and "--check" in sys.argv:
        print(f"behind their results: {', '.join(stale)}; try: python scripts/refresh_docs.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
