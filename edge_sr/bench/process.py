"""What a variant costs as a process of its own: from launch to end, and in memory.

What wait4(2) tells of a child's memory begins with that of the parent it was forked from: each process tells its own.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from edge_sr.bench.inputs import pictures_of
from edge_sr.bench.memory import resident_kib
from edge_sr.bench.variants import Choice
from edge_sr.image.png import write_png
from edge_sr.pipeline import Workspace, upscale

RUN = "from edge_sr.cli import main; main()"  # what the console script does
# The high-water mark of its own memory, proc(5), told at the end.
TELLING = "import atexit, sys; atexit.register(lambda: sys.stderr.write(open('/proc/self/status').read())); "
STEADY = "from edge_sr.bench.process import tell_steady; tell_steady()"
MANY, LONG_S = 30, 20.0  # pictures until memory stands still, or seconds
LONGEST_S = 600.0


def cold_starts_ms(
    choices: Sequence[Choice], sizes: Sequence[tuple[int, int]], folder: Path, *, rounds: int
) -> list[float | None]:
    """Of each, the median time of ``edge-sr run`` from its launch to its end, one picture, in turn.

    The first start of each does not count: it finds nothing in the file cache. None where it fails.
    """
    taken: list[list[float | None]] = [[] for _ in choices]
    for _ in range(rounds + 1):
        for times, choice, size in zip(taken, choices, sizes, strict=True):
            times.append(_start_ms(choice, size, folder))
    return [_median(times[1:]) for times in taken]


def _median(times: Sequence[float | None]) -> float | None:
    known = [ms for ms in times if ms is not None]
    return round(float(np.median(known)), 3) if known and len(known) == len(times) else None


def _start_ms(choice: Choice, size: tuple[int, int], folder: Path) -> float | None:
    start_s = time.perf_counter()
    done = _python(RUN, run_words(choice, size, folder))
    return None if done is None else (time.perf_counter() - start_s) * 1e3


def run_words(choice: Choice, size: tuple[int, int], folder: Path) -> list[str]:
    """After "edge-sr", for one picture in ``folder``, which is written there where it is missing."""
    source = folder / f"cold-{size[0]}x{size[1]}.png"
    if not source.exists():
        write_png(source, pictures_of(size)[0].pixels, text={})
    return ["run", str(source), "-o", str(folder / "cold.png"), "--overwrite", *choice.run_options]


def peak_mib(choice: Choice, size: tuple[int, int], folder: Path) -> float | None:
    """The most that ``edge-sr run`` holds in RAM for one picture; None where the system does not tell or it fails."""
    told = _python(TELLING + RUN, run_words(choice, size, folder))
    found = re.search(r"^VmHWM:\s+(\d+) kB$", told or "", re.MULTILINE)
    return round(int(found.group(1)) / 1024, 2) if found else None


def steady_mib(choice: Choice, size: tuple[int, int]) -> float | None:
    """What a process holds in RAM with the session open, after MANY pictures; None as above."""
    told = _python(STEADY, [json.dumps(asdict(choice)), json.dumps(size)])
    found = re.search(r"^resident (\d+)$", told or "", re.MULTILINE)
    return round(int(found.group(1)) / 1024, 2) if found else None


def tell_steady(words: Sequence[str] | None = None, tell: Callable[[str], object] = sys.stderr.write) -> None:
    """Inside that process."""
    choice, size = map(json.loads, sys.argv[1:] if words is None else words)
    workspace, end_s = Workspace(), time.perf_counter() + LONG_S
    with Choice(**{**choice, "size": None}).load(lambda line: None) as model:
        for picture in (pictures_of(tuple(size)) * MANY)[:MANY]:
            upscale(picture, model, workspace=workspace)
            if time.perf_counter() > end_s:
                break
        tell(f"resident {resident_kib()}\n")


def _python(code: str, words: Sequence[str]) -> str | None:
    """What it wrote to stderr; None where it did not end well."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LONGEST_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stderr.decode("utf-8", errors="replace")
