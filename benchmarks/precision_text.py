"""The record of ``make bench-precision`` for people."""

from __future__ import annotations

from benchmarks.bars import Record


def tables(report: Record) -> str:
    """Every build side by side, one table a number of steps."""
    given = report["conditions"]
    head = (
        f"{given['bundle']}, one 64x64 tile at fidelity 1, {given['cpu']} ({', '.join(given['int8_instructions'])}), "
        f"{given['threads']} threads, onnxruntime {given['versions']['onnxruntime']}, all sessions in turn without "
        "spinning. A change is that of the mean over a set's pictures against the truth, float32's being 0; dB to "
        "float32 is over all pixels of the set; the shift is the largest of any picture's mean, in grey levels of 255."
    )
    return "\n\n".join([head, *(_table(chain) for chain in report["chains"])])


def summary(report: Record) -> str:
    """What INT8 gains and costs, in two sentences."""
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


def _table(chain: Record) -> str:
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


def _near(psnr_db: float) -> str:
    """150 dB stands for equal pictures, see build_engines.check.comparison."""
    return "equal" if psnr_db >= 149 else f"{psnr_db:.1f}"
