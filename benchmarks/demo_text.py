"""The record of ``python benchmarks/demo.py`` for people."""

from __future__ import annotations

from benchmarks.bars import Record


def table(record: Record) -> str:
    """Figures and bars, and what they hold for."""
    given, bars = record["conditions"], record["bars"]
    drop, knob = record["drop_to_picture_ms"], record["knob_to_picture_ms"]
    rows = [
        (
            "dropping a 64x64 PNG to seeing the result, ms",
            f"{drop['p50']:.0f} (p90 {drop['p90']:.0f})",
            "drop_to_picture_ms",
        ),
        ("turning the knob to seeing the result, ms", _times(knob), None),
        ("all files of the page, kB", f"{record['page_bytes'] / 1e3:.0f}", "page_bytes"),
        ("resident memory of the server, MB", f"{record['resident_mb']:.0f}", "resident_mb"),
        (
            f"memory grown by {record['malformed']:,} malformed requests, MB; server errors",
            f"{record['grown_mb']:.1f}; {record['server_errors']}",
            "grown_mb",
        ),
    ]
    lines = ["| | measured | at most |", "| --- | ---: | ---: |"]
    for title, measured, bar in rows:
        most = "" if bar is None else f"{bars[bar] / (1e3 if bar == 'page_bytes' else 1):g}"
        lines.append(f"| {title} | {measured} | {most} |")
    return (
        f"{given['cpu']}, {given['cores']} cores, load average {given['load_average']['before']:.1f} before; "
        f"{given['browser']}, drawing {given['drawing']}; {given['model']}.\n\n" + "\n".join(lines)
    )


def _times(found: Record) -> str:
    return f"{found['p50']:.0f} (p90 {found['p90']:.0f})"
