"""The record of ``make bench-natural`` for people."""

from __future__ import annotations

from benchmarks.bars import Record


def table(record: Record) -> str:
    """Models of three channels, set by set."""
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
