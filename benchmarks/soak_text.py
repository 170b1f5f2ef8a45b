"""What ``make soak`` found, for people: one table of all rows, and the conditions they were measured under."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results" / "soak.json"
Result = Mapping[str, Any]


@dataclass(frozen=True)
class Told:
    """title: what is done. bar: what is asked of it. measured: the figures in words, filled from the record."""

    title: str
    bar: str
    measured: str


ROWS = {
    "1": Told(
        "SIGKILL at random moments, half of them to the whole process group",
        "0 lost, 0 duplicated, 0 differing; 90 % of the kills in flight",
        "{files} files; {in_flight_share:.0%} of the kills in flight, up to {most_claims_at_a_kill} claims held",
    ),
    "2": Told(
        "somebody reads `outgoing/` all through row 1",
        "0 torn reads, no picture without its sidecar",
        "{pictures_read} pictures read when they became visible, in {looks} looks",
    ),
    "3": Told(
        "deliberate faults: write in place, claim dropped first, no recovery, no fsync of files, of folders",
        "5 of 5 caught",
        "{caught} caught",
    ),
    "4": Told(
        "the order of calls, as strace saw it: fsync, rename, fsync of the folder, drop the claim",
        "every publish",
        "{published} published, {dropped} claims dropped",
    ),
    "5": Told(
        "the disk is filled and freed",
        "0 lost, 0 partial, resumes within 5 s",
        "resumes within {resumes_s_median:.1f} s (median), {resumes_s_most:.1f} s (most)",
    ),
    "6": Told(
        "malformed pictures, a good one after every 50",
        "0 crashes, 0 hangs over 10 s, each one quarantined with a reason or validly published; "
        "the next good one within 5 s",
        "{quarantined} quarantined, {published} published; next good one within {next_good_s_most:.2f} s, longest job "
        "{longest_job_s:.2f} s",
    ),
    "7": Told(
        "decompression bombs",
        "memory grows by at most 20 MB",
        "{growth_mib_most:.1f} MiB at most; {growth_of_lasting_processes_after_mib:.1f} MiB after, decoder included",
    ),
    "8": Told(
        "hostile names, links and special files, and races to swap a file for a link",
        "nothing outside the folders is read or written",
        "each one where it belongs; {swaps} swaps",
    ),
    "9": Told(
        "a backlog at the start",
        "memory grows by at most 10 MB between the first and the last tenth; descriptors constant",
        "{growth_mib:.1f} MiB, {descriptors_more} descriptors; {files_per_s:.0f} files a second",
    ),
    "10": Told(
        "a burst",
        "all done",
        "dropped within {dropped_within_s:.1f} s, {files_per_s:.0f} files a second",
    ),
    "11": Told("files written slowly, with pauses", "0 taken early", "{taken_early} taken early"),
    "12": Told(
        "the same inputs given 3 times across 5 restarts",
        "one result each, identical bits",
        "{submitted} given, {restarts} restarts, {results} results",
    ),
    "13": Told(
        "SIGTERM at random moments",
        "exit 0 within 20 s, nothing lost",
        "within {stop_s_median:.2f} s (median), {stop_s_most:.2f} s (most); {files} files; "
        "{ended_by_the_signal_before_ready} ended by the signal itself in the first moments of a start",
    ),
    "14": Told(
        "systemd's protocol: READY after the self-test, WATCHDOG under load, silence of a hung worker",
        "all three; at most {watchdog} between two signs of life",
        "{watchdog_gap_s_most:.1f} s at most; {signs_of_life_of_a_hung_worker} signs of life of a hung worker; a "
        "failed self-test ends with {exit_code_of_a_failed_self_test} and without READY",
    ),
    "15": Told(
        "`systemd-analyze verify` and `security`",
        "silent; exposure at most 1.0",
        "{exposures}; {systemd}",
    ),
    "16": Told(
        "tampered or foreign bundles and engines, and {pickles} pickles in each place where a file is read",
        "each one refused before it is opened, 0 executed",
        "{kinds} kinds of tampering; {opened} opened",
    ),
    "18": Told(
        "made-up patients in names, tags and texts of files",
        "0 in logs, metrics, status, sidecars, results' texts and reasons",
        "{published} published, {quarantined} quarantined; {places} places, {bytes_looked_through:,} bytes looked "
        "through",
    ),
    "injection": Told(
        "system calls that fail in the middle of the work, as strace makes them",
        "0 lost, 0 torn, it goes on by itself",
        "{injected} calls failed",
    ),
    "decoder": Told(
        "SIGKILL to the processes that decode",
        "0 lost, none quarantined for it, it goes on by itself",
        "{files} files, {tried_again} tries that failed and passed",
    ),
    "deadly": Told(
        "a picture at which the service dies, every time, among 20 others",
        "set aside at the eighth death, the others published",
        "{starts} starts",
    ),
    "latency": Told(
        "a lone 64x64 picture, from the rename into `incoming/` to the published picture, on a disk, default model in "
        "float32",
        "p50 at most 60 ms",
        "p50 {p50_ms:.1f} ms, p95 {p95_ms:.1f} ms",
    ),
    "throughput": Told(
        "through the folders, against the same model from file to file in the same run",
        "at least 70 %",
        "{share:.0%}: {folders_per_s:.1f} and {file_to_file_per_s:.1f} pictures a second",
    ),
    "idle": Told(
        "the service when nothing comes, default model loaded",
        "at most 0.5 % of a core, 160 MB (PSS) of all its processes",
        "{share_of_a_core:.2%} of a core, {pss_mb:.0f} MB, {processes} processes",
    ),
}


def read(path: Path = RESULTS) -> dict[str, Any]:
    return dict(json.loads(path.read_text("utf-8")))


def table(record: Mapping[str, Any]) -> str:
    """Every row, those that were not run as well, then what they hold for."""
    lines = [
        "| | what | count | asked | measured | | when, load average before |",
        "| --- | --- | ---: | --- | --- | --- | --- |",
    ]
    lines += [_line(name, told, record["rows"].get(name)) for name, told in ROWS.items()]
    return "\n".join([*lines, "", conditions(record)])


def conditions(record: Mapping[str, Any]) -> str:
    """One sentence for each machine and set of versions."""
    found: dict[str, list[str]] = {}
    for name in ROWS:
        result = record["rows"].get(name)
        if result is not None:
            found.setdefault(_machine(result), []).append(name)
    if len(found) == 1:
        return f"{next(iter(found))}."
    return "\n".join(f"- {', '.join(names)}: {machine}." for machine, names in found.items())


def summary(record: Mapping[str, Any]) -> str:
    """How many rows are held, and which are not."""
    results = record["rows"]
    held = [name for name in ROWS if name in results and _verdict(results[name]) == "held"]
    others = [name for name in ROWS if name not in held]
    rest = f"; not so: {', '.join(others)}" if others else ""
    return f"{len(held)} of {len(ROWS)} rows held at the full counts{rest}."


def _line(name: str, told: Told, result: Result | None) -> str:
    if result is None or result["not_run"]:
        why = "" if result is None else f": {result['not_run']}"
        return f"| {name} | {_filled(told.title, {})} | | {_filled(told.bar, {})} | not run{why} | | |"
    values = _values(name, result)
    count = f"{result['count']:,} {result['unit']}"
    when = f"{result['date'][:10]}, {result['load_average_before']}"
    cells = (name, _filled(told.title, values), count, _filled(told.bar, values), _measured(told, values, result))
    return f"| {' | '.join(cells)} | {_verdict(result)} | {when} |"


def _measured(told: Told, values: Mapping[str, Any], result: Result) -> str:
    """The first fault beside the figures of a row that is missed."""
    figures = _filled(told.measured, values)
    if result["held"]:
        return figures
    first = " ".join(result["faults"][0].replace("|", "/").split())
    return f"{figures}. {shorten(first, 160, placeholder=' ...')}"


def _verdict(result: Result) -> str:
    if result["not_run"]:
        return "not run"
    if not result["held"]:
        return "**missed**"
    return "held" if result["asked"] == result["full_count"] else "held, small count"


def _values(name: str, result: Result) -> dict[str, Any]:
    """The record's figures, and those that are sums of them."""
    figures = dict(result["figures"])
    if name == "6":
        figures["quarantined"] = sum(figures.get(each, 0) for each in _REASONS)
    if name == "14":
        figures["watchdog"] = f"{figures.get('watchdog_s', 0):g} s"
    if name == "15":
        limits = {each.removeprefix("exposure_of_"): value for each, value in figures.items() if "exposure" in each}
        figures["exposures"] = ", ".join(f"{unit} {value}" for unit, value in limits.items())
    if name == "injection":
        figures["injected"] = sum(value for value in figures.values() if isinstance(value, int))
    return figures


_REASONS = ("refused", "incomplete", "decoder-crashed", "decoder-timeout", "decoder-memory")


def _filled(text: str, values: Mapping[str, Any]) -> str:
    """A row that broke off has not all of its figures: then the words are left out, up to the next comma."""
    try:
        return text.format_map(values)
    except KeyError:
        return text.partition("{")[0].rstrip(" :,;(")


def _machine(result: Result) -> str:
    machine, versions = result["machine"], result["versions"]
    told = ", ".join(f"{name} {versions[name]}" for name in versions)
    home = "a tmpfs" if result.get("file_system") == "tmpfs" else "a disk"
    return f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}; {told}; counting rows on {home}"
