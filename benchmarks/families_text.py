"""The record of ``make bench-families`` for people."""

from __future__ import annotations

from benchmarks.bars import Record


def tables(record: Record) -> str:
    """Every family, one table a set, with size, cost and time."""
    given = record["conditions"]
    head = (
        f"64x64 to 256x256, LR the 4x4 mean, 8-bit pictures. ms: LR in memory to 8-bit picture in memory, float32, "
        f"{given['cpu']}, {given['cores']} cores, one session at a time. GMAC: one tile. +: over bicubic, with the "
        "95 % bootstrap interval over patients. The step count says how long a row was trained, in its last stage."
    )
    return "\n\n".join([head, *(_table(name, of_set, record) for name, of_set in record["sets"].items())])


def _table(name: str, of_set: Record, record: Record) -> str:
    lines = [
        f"**{name}**, {of_set['pictures']} pictures of {of_set['patients']} patients",
        "",
        "| | parameters | GMAC | ms | trained, steps | PSNR, dB | + | SSIM | HaarPSI_MED | + | LPIPS "
        "| LR-RMSE, worst |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in of_set["scales"]["256"]["rows"]:
        if "metrics" in row and row["key"].rpartition("/")[2] not in ("zeroed", "shuffled", "autoencoder"):
            lines.append(_row(row, record["bundles"].get(row["key"].rpartition("/")[0], {})))
    return "\n".join(lines)


def _row(row: Record, bundle: Record) -> str:
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


def _over(row: Record, metric: str, decimals: int) -> str:
    """What it is above bicubic, and the interval."""
    if "over_bicubic" not in row:
        return ""
    gain = row["over_bicubic"][metric]
    low, high = (f"{gain[end]:+.{decimals}f}" for end in ("low", "high"))
    return f"{gain['mean']:+.{decimals}f} [{low}, {high}]"
