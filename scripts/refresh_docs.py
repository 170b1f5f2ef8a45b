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

from benchmarks import bench_text, scaling_text  # noqa: E402
from edge_sr.artifacts.bundle import Bundle, default_bundle  # noqa: E402
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
NATURAL = ROOT / "benchmarks" / "results" / "natural.json"
FAMILIES = ROOT / "benchmarks" / "results" / "families.json"
DOCUMENTS = ("README.md", "docs/bench.md", "docs/build.md", "docs/evaluation.md", "docs/training.md")
BLOCK = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
SETS, SCALES = ("nih-test", "hannover"), (256, 512)  # on which the default bundle is measured
SUMMARY_ROWS = {  # the model's without the name of its bundle
    "bicubic": "bicubic",
    "regression": "feed-forward regression of about the same cost",
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
    record = read_record(EVALUATION)
    tested = record["sets"]["nih-test"]
    lines = [
        "| | PSNR, dB | SSIM | HaarPSI_MED | LPIPS | LR-RMSE, worst |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in tested["scales"]["256"]["rows"]:
        title = SUMMARY_ROWS.get(row["key"].rpartition("/")[2])
        if title and "metrics" in row:
            m = row["metrics"]
            lines.append(
                f"| {title} | {m['psnr_db']['mean']:.2f} | {m['ssim']['mean']:.3f} "
                f"| {m['haarpsi_med']['mean']:.3f} | {m['lpips']['mean']:.3f} | {m['lr_rmse']['worst']:.3f} |"
            )
    return (
        f"{tested['pictures']} chest radiographs of {tested['patients']} patients the model never saw (NIH test "
        "split), 64x64 to 256x256, 8-bit outputs. LR-RMSE says, in grey levels of 255, how far the picture that agrees "
        "least is from its input; LPIPS (squeeze, v0.1) is better when lower.\n\n" + "\n".join(lines)
    )


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


def natural() -> str:
    """Models of three channels on natural pictures."""
    record = read(NATURAL)
    lines = [
        f"{record['protocol']}.",
        "",
        "| | trained, steps | set | PSNR, dB | SSIM | bicubic, published, dB |",
        "| --- | ---: | --- | ---: | ---: | ---: |",
    ]
    for name, of_set in record["sets"].items():
        for title, row in of_set["rows"].items():
            steps = record["bundles"].get(title, {}).get("trained_steps", {})
            cells = [title, ", ".join(map(str, steps.values())), f"{name}, {of_set['pictures']}"]
            cells += [f"{row['psnr_db']:.2f}", f"{row['ssim']:.4f}"]
            cells.append("" if steps else f"{of_set['bicubic_published_db']:.2f}")
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def growth() -> str:
    """How the time of a picture grows."""
    record = read(SCALING)
    return "\n\n".join([scaling_text.fit_table(record), *scaling_text.large_lines(record)])


def evaluation() -> str:
    return markdown_tables(read_record(EVALUATION))


def precision() -> str:
    """Every build side by side, one table a number of steps."""
    report = read(PRECISION)
    given = report["conditions"]
    head = (
        f"{given['bundle']}, one 64x64 tile at fidelity 1, {given['cpu']} ({', '.join(given['int8_instructions'])}), "
        f"{given['threads']} threads, onnxruntime {given['versions']['onnxruntime']}, all sessions in turn without "
        "spinning. A change is that of the mean over a set's pictures against the truth, float32's being 0; dB to "
        "float32 is over all pixels of the set; the shift is the largest of any picture's mean, in grey levels of 255."
    )
    return "\n\n".join([head, *(_precision_table(chain) for chain in report["chains"])])


def engines() -> str:
    """What INT8 gains and costs, in two sentences."""
    report = read(PRECISION)
    chain = report["chains"][0]
    rows = {row["name"]: row for row in chain["rows"]}
    int8, (score, *_) = rows["int8"], rows["int8"]["sets"]["test"]
    return (
        f"An INT8 engine that `edge-sr build` makes there computes one tile in {int8['p50_ms']:.1f} ms, "
        f"**{int8['speedup']:.1f} times** as fast as float32 in the same run ({rows['fp32']['p50_ms']:.1f} ms), and "
        f"moves PSNR on the NIH test split by {score['psnr_db_change']:+.2f} dB and SSIM by "
        f"{score['ssim_change']:+.4f} at fidelity {score['fidelity']:g}. More rows: "
        "[docs/build.md](docs/build.md#what-it-gains-and-costs)."
    )


def _precision_table(chain: dict[str, Any]) -> str:
    sets = list(chain["rows"][0]["sets"])
    lines = [
        f"**{chain['sampler']}, {chain['steps']} step{'s' if chain['steps'] > 1 else ''}**",
        "",
        "| | ms | times as fast | MB | set | fidelity | PSNR, dB | change | SSIM change | HaarPSI_MED change "
        "| dB to float32 | shift |",
        "| --- | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in chain["rows"]:
        title = f"{row['name']} (took {row['precision']})" if row["name"] == "auto" else row["name"]
        first = f"| {title} | {row['p50_ms']:.2f} | {row['speedup']:.2f} | {row['bytes'] / 1e6:.1f} "
        for name in sets:
            for score in row["sets"][name]:
                lines.append(
                    f"{first}| {name}, {score['pictures']} | {score['fidelity']:g} | {score['psnr_db']:.2f} "
                    f"| {score['psnr_db_change']:+.3f} | {score['ssim_change']:+.4f} "
                    f"| {score['haarpsi_med_change']:+.4f} | {_near(score['psnr_to_fp32_db'])} "
                    f"| {score['mean_shift']:.3f} |"
                )
                first = "| | | | "
    return "\n".join(lines)


def families() -> str:
    """Every family in one table a set, with size, cost and time."""
    record = read_record(FAMILIES)
    given = record["conditions"]
    head = (
        f"64x64 to 256x256, LR the 4x4 mean, 8-bit pictures. ms: LR in memory to 8-bit picture in memory, float32, "
        f"{given['cpu']}, {given['cores']} cores, one session at a time. GMAC: one tile. +: over bicubic, with the "
        "95 % bootstrap interval over patients. The step count says how long a row was trained, in its last stage."
    )
    return "\n\n".join([head, *(_families_table(name, of_set, record) for name, of_set in record["sets"].items())])


def _families_table(name: str, of_set: dict[str, Any], record: dict[str, Any]) -> str:
    lines = [
        f"**{name}**, {of_set['pictures']} pictures of {of_set['patients']} patients",
        "",
        "| | parameters | GMAC | ms | trained, steps | PSNR, dB | + | SSIM | HaarPSI_MED | + | LPIPS "
        "| LR-RMSE, worst |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in of_set["scales"]["256"]["rows"]:
        if "metrics" in row and row["key"].rpartition("/")[2] not in ("zeroed", "shuffled", "autoencoder"):
            lines.append(_families_row(row, record["bundles"].get(row["key"].rpartition("/")[0], {})))
    return "\n".join(lines)


def _families_row(row: dict[str, Any], bundle: dict[str, Any]) -> str:
    figures = row["metrics"]
    cells = [
        row["title"],
        f"{bundle['parameters']:,}" if bundle else "",
        f"{bundle['macs'] / 1e9:.2f}" if bundle.get("macs") else "",
        f"{row['time_ms']['median']:.1f}" if "time_ms" in row else "",
        str(list(bundle["trained_steps"].values())[-1]) if bundle.get("trained_steps") else "",
        f"{figures['psnr_db']['mean']:.2f}",
        _over(row, "psnr_db", 2),
        f"{figures['ssim']['mean']:.4f}",
        f"{figures['haarpsi_med']['mean']:.3f}",
        _over(row, "haarpsi_med", 3),
        f"{figures['lpips']['mean']:.3f}" if "lpips" in figures else "",
        f"{figures['lr_rmse']['worst']:.3f}",
    ]
    return f"| {' | '.join(cells)} |"


def _over(row: dict[str, Any], metric: str, decimals: int) -> str:
    """What it is above bicubic, and the interval."""
    if "over_bicubic" not in row:
        return ""
    gain = row["over_bicubic"][metric]
    low, high = (f"{gain[end]:+.{decimals}f}" for end in ("low", "high"))
    return f"{gain['mean']:+.{decimals}f} [{low}, {high}]"


def _near(psnr_db: float) -> str:
    """150 dB stands for equal pictures, see build_engines.check.comparison."""
    return "equal" if psnr_db >= 149 else f"{psnr_db:.1f}"


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
    "natural": natural,
    "precision": precision,
    "engines": engines,
    "evaluation": evaluation,
    "cost": cost,
    "families": families,
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
