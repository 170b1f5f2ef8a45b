"""Every row at its full count, or some of them; what was found is kept row by row in one file.

    python -m tests.reliability.soak                     all rows
    python -m tests.reliability.soak --row 4 --row 5     these
    python -m tests.reliability.soak --resume            those that the file does not hold at the full count
    python -m tests.reliability.soak --quick             small counts, which show that everything runs and no more

Each row's result stands in the file when the row is done, with its own conditions, so an interrupted run loses one row.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from edge_sr.device.facts import read_facts
from edge_sr.image.atomic import write_atomically
from tests.reliability.finding import Finding, NotHere
from tests.reliability.rig import Rig
from tests.reliability.row_backlog import backlog, burst
from tests.reliability.row_deadly import deadly
from tests.reliability.row_decoder import decoder
from tests.reliability.row_full_disk import full_disk
from tests.reliability.row_hostile import hostile
from tests.reliability.row_identifiers import identifiers
from tests.reliability.row_injection import injection
from tests.reliability.row_kills import kills
from tests.reliability.row_malformed import decompression_bombs, malformed
from tests.reliability.row_notify import notify
from tests.reliability.row_order import order
from tests.reliability.row_planted import planted
from tests.reliability.row_restarts import repeats, stops
from tests.reliability.row_slow import slow
from tests.reliability.row_speed import idle, lone_latency, throughput
from tests.reliability.row_trust import trust
from tests.reliability.row_units import units
from tests.reliability.service import ROOT

RESULTS = ROOT / "benchmarks" / "results" / "soak.json"
SCHEMA_VERSION, KIND = 1, "edge-sr soak"
PACKAGES = ("edge-sr", "numpy", "pillow", "onnxruntime", "inotify-simple")

RowFunction = Callable[..., dict[str, Finding]]


@dataclass(frozen=True)
class Row:
    """names: of the rows that one run measures. full, quick: counts of what unit says."""

    names: tuple[str, ...]
    run: RowFunction
    full: int
    quick: int
    unit: str


ROWS = (
    Row(("4",), order, 200, 12, "files"),
    Row(("3",), planted, 5, 5, "faults"),
    Row(("8",), hostile, 1000, 1000, "names and kinds"),
    Row(("14",), notify, 60, 3, "seconds under load"),
    Row(("15",), units, 3, 3, "units"),
    Row(("16",), trust, 200, 68, "bundles and engines"),
    Row(("18",), identifiers, 500, 30, "patients"),
    Row(("7",), decompression_bombs, 60, 8, "bombs"),
    Row(("injection",), injection, 60, 8, "files"),
    Row(("decoder",), decoder, 100, 8, "kills"),
    Row(("deadly",), deadly, 3, 1, "pictures"),
    Row(("11",), slow, 500, 40, "files"),
    Row(("12",), repeats, 1000, 20, "inputs"),
    Row(("5",), full_disk, 100, 3, "cycles"),
    Row(("6",), malformed, 10_000, 150, "files"),
    Row(("9",), backlog, 10_000, 300, "files"),
    Row(("10",), burst, 20_000, 400, "files"),
    Row(("13",), stops, 200, 5, "stops"),
    Row(("1", "2"), kills, 500, 6, "kills"),
    Row(("latency",), lone_latency, 300, 20, "pictures"),
    Row(("throughput",), throughput, 300, 20, "pictures"),
    Row(("idle",), idle, 60, 5, "seconds"),
)


def main(words: Sequence[str] | None = None) -> int:
    """0 where every row that ran is held."""
    options = _options(words)
    begin_s, missed = time.monotonic(), False
    for row in chosen(ROWS, options.row):
        count = row.quick if options.quick else row.full
        if options.resume and all(_is_there(read(options.out), name, count) for name in row.names):
            continue
        if time.monotonic() - begin_s > options.minutes * 60:
            print(f"{options.minutes:g} minutes are over", file=sys.stderr)
            break
        found = measured(row, count)
        for name, result in found.items():
            missed = missed or not result["held"]
            print(told(name, result), flush=True)
        record = read(options.out)  # another run may have written its rows meanwhile
        record["rows"] |= found
        write_atomically(options.out, (json.dumps(record, indent=1) + "\n").encode(), overwrite=True)
    return 1 if missed else 0


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.reliability.soak", description=__doc__.partition("\n")[0])
    names = [name for row in ROWS for name in row.names]
    parser.add_argument("--row", action="append", choices=names, help="this row; may be given several times")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the file of results (%(default)s)")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no row after so many minutes")
    parser.add_argument("--quick", action="store_true", help="small counts")
    parser.add_argument("--resume", action="store_true", help="leave out rows whose result is there")
    return parser.parse_args(words)


def chosen(rows: Sequence[Row], names: Sequence[str] | None) -> list[Row]:
    return [row for row in rows if names is None or set(names) & set(row.names)]


def read(path: Path) -> dict[str, Any]:
    """An empty record where there is no file yet."""
    if not path.exists():
        return {"schema_version": SCHEMA_VERSION, "kind": KIND, "rows": {}}
    record = dict(json.loads(path.read_bytes()))
    if record.get("kind") != KIND or record.get("schema_version") != SCHEMA_VERSION:
        raise SystemExit(f"error: {path} holds no results of this program")
    return record


def _is_there(record: dict[str, Any], name: str, count: int) -> bool:
    there = record["rows"].get(name)
    return there is not None and not there["not_run"] and there["asked"] == count


def measured(row: Row, count: int) -> dict[str, dict[str, Any]]:
    """Run a row in a rig of its own; a row that cannot be run, or that breaks, is a result too."""
    conditions = _conditions()
    start_s, not_run, findings = time.monotonic(), "", dict[str, Finding]()
    try:
        with Rig() as rig:
            conditions["file_system"] = rig.file_system
            findings = row.run(rig, count)
    except NotHere as fault:
        not_run = str(fault)
    except Exception as fault:
        broken = f"{type(fault).__name__}: {fault}"
        findings = {name: Finding(0, faults=[broken]) for name in row.names}
    conditions |= {"seconds": round(time.monotonic() - start_s, 1), "load_average_after": _load()}
    return {name: _result(row, count, findings.get(name), not_run, conditions) for name in row.names}


def _result(row: Row, count: int, finding: Finding | None, not_run: str, conditions: dict[str, Any]) -> dict[str, Any]:
    finding = finding or Finding()
    return {
        "asked": count,
        "full_count": row.full,
        "count": finding.count,
        "unit": row.unit,
        "held": finding.held and not not_run,
        "not_run": not_run,
        "figures": finding.figures,
        "faults": [*finding.faults, *finding.late],
        "further_faults": finding.untold,
        **conditions,
    }


def _conditions() -> dict[str, Any]:
    facts = read_facts()
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "load_average_before": _load(),
        "machine": {
            "cpu": facts.cpu_model or facts.machine,
            "cores": os.cpu_count(),
            "kernel": platform.release().partition("-")[0],
            "root": os.geteuid() == 0,
        },
        "versions": {"python": platform.python_version(), **dict(_versions())},
    }


def _versions() -> list[tuple[str, str]]:
    found = []
    for name in PACKAGES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return found


def _load() -> float:
    return round(os.getloadavg()[0], 2)


def told(name: str, result: dict[str, Any]) -> str:
    verdict = f"not run: {result['not_run']}" if result["not_run"] else ("held" if result["held"] else "MISSED")
    lines = [f"row {name}: {verdict}; {result['count']} {result['unit']}, {result['seconds']} s; {result['figures']}"]
    return "\n".join([*lines, *(f"    {fault}" for fault in result["faults"])])


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no service and no folder stays behind
    raise SystemExit(main())
