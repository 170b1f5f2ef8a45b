"""tegrastats: NVIDIA's own program, which prints one line a moment on every Jetson."""

from __future__ import annotations

import os
import re
import select
import subprocess
from collections.abc import Sequence
from contextlib import suppress

from edge_sr.device.power.meter import TOTAL, MeterFault, Reading
from edge_sr.device.power.rails import module_covers, with_total

COMMAND = ("tegrastats", "--interval", "50")
SILENCE_S = 1.0  # after which a reading is given up; the next may succeed
LONGEST_LINE = 16_384

# "VDD_IN 5704mW/5704mW" (now/mean), "VDD_IN 5704mW", and on older boards "POM_5V_IN 4096/3500". "RAM 10/20MB" is none.
_RAIL = re.compile(r"(?<!\S)([A-Z][A-Z0-9_]*) (?:(-?\d+)mW(?:/-?\d+mW)?|(-?\d+)/-?\d+)(?!\S)")
_TEMPERATURE = re.compile(r"(?<!\S)([A-Za-z]\w*)@(-?\d+(?:\.\d+)?)C(?!\S)")
_GPU = re.compile(r"(?<!\S)GR3D_FREQ \d+%@\[?(\d+)")
_CORES = re.compile(r"(?<!\S)CPU \[([^\]]*)\]")
_OFF_C = -200  # a part that is switched off "has" -256 degrees


def parse_line(line: str) -> Reading:
    """One line of tegrastats. MeterFault where it names no rail."""
    rails_w = {name: int(now or plain) / 1e3 for name, now, plain in _RAIL.findall(line) if name != "NC"}
    if not rails_w:
        raise MeterFault("a line without rails", where="tegrastats", expected="VDD_IN 5704mW/5704mW or the like")
    heat = {name: float(text) for name, text in _TEMPERATURE.findall(line)}
    return Reading(
        with_total(rails_w),
        temperatures_c={name: degrees for name, degrees in heat.items() if degrees > _OFF_C},
        clocks_mhz=_clocks_mhz(line),
    )


def _clocks_mhz(line: str) -> dict[str, float]:
    """GPU, and the CPU cores that are on; without root some versions tell no clocks."""
    gpu, cores = _GPU.search(line), _CORES.search(line)
    clocks = {"gpu": float(gpu.group(1))} if gpu else {}
    for number, core in enumerate(cores.group(1).split(",") if cores else ()):
        _, at, mhz = core.partition("@")
        if at and mhz.isdecimal():
            clocks[f"cpu{number}"] = float(mhz)
    return clocks


class Tegrastats:
    """The program as a child; it sets the pace, and ``read`` waits for its next line for at most SILENCE_S."""

    name = "tegrastats"
    interval_s = 0.0
    longest_gap_s = 0.5
    counts_energy = False

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        try:
            self._child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except OSError as error:
            raise MeterFault(f"cannot be started ({error.strerror})", where=command[0]) from error
        assert self._child.stdout is not None
        self._pipe, self._pending = self._child.stdout, b""
        try:
            self.covers = module_covers({rail: 0 for rail in self.read().values if rail != TOTAL})
        except MeterFault:
            self.close()
            raise

    def read(self) -> Reading:
        while b"\n" not in self._pending:
            self._pending = (self._pending + self._more())[-LONGEST_LINE:]
        # Of several lines that wait only the last is about now.
        *_, line, self._pending = self._pending.rsplit(b"\n", 2)
        return parse_line(line.decode("utf-8", errors="replace"))

    def _more(self) -> bytes:
        if not select.select([self._pipe], [], [], SILENCE_S)[0]:
            raise MeterFault(f"printed nothing for {SILENCE_S:g} s", where="tegrastats")
        if not (part := os.read(self._pipe.fileno(), LONGEST_LINE)):
            raise MeterFault("ended", where="tegrastats")
        return part

    def close(self) -> None:
        self._child.kill()
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(timeout=1)
        self._pipe.close()
