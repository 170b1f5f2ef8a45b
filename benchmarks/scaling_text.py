"""A record of benchmarks/scaling.py for people: the fits as a table in Markdown, the large pictures, the bar."""

from __future__ import annotations

from benchmarks.bars import Bar, Record

PEAK_MB = 1200


def bars(record: Record) -> list[Bar]:
    """The bar on memory, at both readings of a picture of 3000x3000."""
    return [
        Bar(
            f"peak memory of edge-sr run, {each['lr'][0]}x{each['lr'][1]} in",
            PEAK_MB,
            "MB",
            False,
            each["peak_mb"],
            each["failed"] or "",
        )
        for each in record["large"]
    ]


def as_text(record: Record) -> str:
    """The whole of it, for a terminal."""
    return "\n".join([fit_table(record), "", *large_lines(record), "", *map(str, bars(record))])


def fit_table(record: Record) -> str:
    """One row a curve; for pictures of many tiles another one, without what is paid once for a picture."""
    lines = [
        "| time against | points | from | to | exponent | 95 % interval | fixed, ms | each, ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, curve in record["curves"].items():
        points = curve["points"]
        lines.append(_row(name, points, curve["fit"]))
        if curve["fit_of_several"]:
            several = points[-curve["fit_of_several"]["points"] :]
            lines.append(_row(f"{name}, from {several[0]['amount']} on", several, curve["fit_of_several"]))
    return "\n".join(lines)


def _row(name: str, points: list[Record], found: Record) -> str:
    first, last = points[0], points[-1]
    return (
        f"| {name} | {found['points']} | {first['amount']:,}: {first['p50_ms']:.2f} ms "
        f"| {last['amount']:,}: {last['p50_ms']:,.1f} ms | {found['exponent']:.2f} "
        f"| {found['low']:.2f} to {found['high']:.2f} | {found['fixed']:.2f} | {found['each']:.3g} |"
    )


def large_lines(record: Record) -> list[str]:
    """One line a picture that was made end to end."""
    lines = []
    for each in record["large"]:
        told = each["failed"]
        if not told:
            width, height = each["sr"]
            told = (
                f"{width}x{height} in {each['median_s']:.1f} s, peak {each['peak_mb']:,.0f} MB, {each['tiles']:,} tiles"
            )
        lines.append(f"{each['lr'][0]}x{each['lr'][1]}, edge-sr run as a process: {told}")
    return lines
