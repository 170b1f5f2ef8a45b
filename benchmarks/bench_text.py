"""A record of ``make bench`` for people: the table of ratios in Markdown, the conditions, and the bars."""

from __future__ import annotations

from typing import Any

from benchmarks.bars import ROOFLINE, ROOFLINE_ONE, Record, bars, judged
from edge_sr.bench.roofline.text import text_of
from edge_sr.errors import UsageError

SUMMARISED = {
    "published-ddpm300": "the published chain (AutoencoderKL and UNet-lite, 300 DDPM steps, eager PyTorch)",
    "x4plus": "Real-ESRGAN x4plus",
    "compact": "its compact network",
}


def as_text(record: Record) -> str:
    """The whole of it, for a terminal."""
    lines = [conditions_line(record), "", ratio_table(record), "", *map(str, bars(record))]
    lines += [f"not timed: {each['title']}: {each['failed']}" for each in record["peers"] if each["failed"]]
    lines += [f"warning: {line}" for line in record["report"]["warnings"]]
    if record["quick"]:
        lines.append("a quick run: a few calls each, which show that everything runs and no more")
    return "\n".join(lines)


def summary(record: Record) -> str:
    """A paragraph for a README: one picture, and how many times longer others take for it."""
    ours = judged(record)
    if ours is None:
        raise UsageError("has no int8 engine of ours", where="bench.json", hint="make bench")
    file = ours["file_latency"]
    times = {each["peer"]: each["file"] for each in record["ratios"] if each["variant"] == ours["key"]}
    outside_ms = next(bar.measured for bar in bars(record) if bar.unit == "ms" and "outside" in bar.name)
    others = ", ".join(f"{title} {times[peer]:,.0f} times" for peer, title in SUMMARISED.items() if peer in times)
    return (
        f"One 64x64 PNG, from reading it to the rename of the result, session open, INT8: **{file['p50_ms']:.1f} ms** "
        f"(median of {file['calls']}; {outside_ms:.1f} ms of it outside the network). In the same run, from array to "
        f"array, others take that many times as long: {others}. Their weights are random, which changes no time. "
        f"{conditions_line(record)}; `make bench` measures it on yours."
    )


def conditions_line(record: Record) -> str:
    """What the figures hold for."""
    given, ours = record["report"]["conditions"], judged(record)
    machine, versions = given["machine"], given["versions"]
    names = ("python", "edge-sr", "onnxruntime", "torch", "diffusers")
    threads = (ours or record["report"]["variants"][0])["threads"]
    return (
        f"{machine['cpu_model'] or machine['machine']}, {machine['cores']} cores, {threads} threads each, "
        f"load average before {given['load_average_before']}; "
        + ", ".join(f"{name} {versions[name]}" for name in names if name in versions)
    )


def ratio_table(record: Record) -> str:
    """One row for everything that was timed. The last two columns are how many times faster the judged variant is."""
    ratios = {each["peer"]: each for each in record["ratios"] if each["variant"] == record["judged"]}
    facts = {each["key"]: each for each in record["peers"]}
    lines = [
        "| | parameters | GMAC | calls | array to array, ms | file to file, ms | times slower than edge-sr int8, from "
        "file to file | GMAC, times ours |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    rows = record["report"]["variants"]
    lines += [_row(each, facts.get(each["key"], {}), ratios.get(each["key"], {})) for each in rows]
    return "\n".join(lines)


def limit(record: Record) -> str:
    """The judged variant against the roofline of the processor it ran on, and what its build gained."""
    found = (record["report"]["roofline"] or {})[ROOFLINE]
    compiled = record["forms"][record["judged"]]["upscale"]
    forms = ", ".join(f"{count} {form}" for form, count in compiled["convolutions"].items())
    gained = ""
    if compiled["before_ms"] is not None:
        gained = (
            f" In the build, in turn: {compiled['before_ms']:.2f} ms as they are, {compiled['after_ms']:.2f} ms so."
        )
    return f"{text_of(found)}\n\nForms of its 8-bit convolutions: {forms}.{gained}{_with_one_thread(record)}"


def _with_one_thread(record: Record) -> str:
    found = (record["report"]["roofline"] or {}).get(ROOFLINE_ONE)
    if found is None or not found["measured"]:
        return ""
    measured = found["measured"]
    return (
        f"\n\nBuilt for one thread and run with one: {measured['session_ms']:.2f} ms, "
        f"{measured['times_floor']:.1f} times the floor of one core, {found['floor_ms']:.2f} ms."
    )


def _row(variant: Record, facts: Record, ratio: Record) -> str:
    file = variant["file_latency"]
    cells = [
        variant["title"] + ("*" if facts.get("random_weights") else ""),
        f"{variant['parameters']:,}" if variant["parameters"] else "",
        _number(variant["macs"] / 1e9) if variant["macs"] else "",
        str(variant["latency"]["calls"]),
        _number(variant["latency"]["p50_ms"]),
        _number(file["p50_ms"]) if file else "",
        _number(ratio.get("file")),
        _number(ratio.get("macs")),
    ]
    return f"| {' | '.join(cells)} |"


def _number(value: Any) -> str:
    """Three figures that count, without an exponent."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
