"""Readings over time, and their integral over any window that they cover.

Power is integrated by the trapezoid rule, and inside a step along the same straight line, so that a window may begin
and end between two readings. An energy counter needs no rule: it is read off, straight between two readings.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from edge_sr.device.power.meter import LARGEST_W, TOTAL

CAPACITY = 4096  # readings that are kept: more than three minutes at 20 Hz, some MB


@dataclass(frozen=True)
class _Sample:
    """power_w: at that moment, or for a counter the mean since the last reading. energy_j: since the first reading.

    pieces: stretches that came to an end before this one. Across a break nothing is known.
    """

    time_s: float
    number: int
    power_w: Mapping[str, float]
    energy_j: Mapping[str, float]
    pieces: int


@dataclass(frozen=True)
class Mark:
    """The energy up to one moment; two of them make a window. Kept, it outlives the readings it came from."""

    time_s: float
    number: int
    energy_j: Mapping[str, float]
    pieces: int


@dataclass(frozen=True)
class Figures:
    """One window: its length, total energy, mean power by rail and under "total", and the readings inside."""

    seconds: float
    energy_j: float
    mean_w: Mapping[str, float]
    readings: int

    @property
    def power_w(self) -> float:
        return self.mean_w[TOTAL]


class Trace:
    """Filled by one thread, asked by another.

    counts_energy, longest_gap_s: as of the meter.
    """

    def __init__(self, *, counts_energy: bool, longest_gap_s: float, capacity: int = CAPACITY) -> None:
        self._counts_energy, self._longest_gap_s = counts_energy, longest_gap_s
        self._samples: deque[_Sample] = deque(maxlen=capacity)
        self._last_values: Mapping[str, float] = {}
        self._lock = threading.Lock()

    def add(self, time_s: float, values: Mapping[str, float]) -> None:
        """One reading; its time in seconds of the clock that windows are told in. Time that stands still adds none."""
        last = self._samples[-1] if self._samples else None
        if last is not None and time_s <= last.time_s:
            return
        sample = self._first(time_s, values, last)
        if last is not None and time_s - last.time_s <= self._longest_gap_s and values.keys() == last.energy_j.keys():
            sample = self._next(time_s, values, last) or sample
        with self._lock:
            self._samples.append(sample)
        self._last_values = values

    def _first(self, time_s: float, values: Mapping[str, float], last: _Sample | None) -> _Sample:
        """A sample that begins a piece."""
        number, pieces = (0, 0) if last is None else (last.number + 1, last.pieces + 1)
        power_w = {} if self._counts_energy else values
        return _Sample(time_s, number, power_w, dict.fromkeys(values, 0.0), pieces)

    def _next(self, time_s: float, values: Mapping[str, float], last: _Sample) -> _Sample | None:
        """A sample that goes on with the piece of ``last``; None where a counter made a leap that cannot be."""
        step_s = time_s - last.time_s
        if self._counts_energy:
            step_j = {rail: value - self._last_values[rail] for rail, value in values.items()}
            power_w: Mapping[str, float] = {rail: joules / step_s for rail, joules in step_j.items()}
            if not all(0 <= watts <= LARGEST_W for watts in power_w.values()):
                return None
        else:
            power_w = values
            step_j = {rail: (last.power_w[rail] + watts) / 2 * step_s for rail, watts in values.items()}
        energy_j = {rail: last.energy_j[rail] + joules for rail, joules in step_j.items()}
        return _Sample(time_s, last.number + 1, power_w, energy_j, last.pieces)

    @property
    def newest_s(self) -> float | None:
        """Time of the last reading."""
        with self._lock:
            return self._samples[-1].time_s if self._samples else None

    @property
    def newest_w(self) -> Mapping[str, float]:
        """Power by rail as last read; empty where nothing is known yet."""
        with self._lock:
            return self._samples[-1].power_w if self._samples else {}

    @property
    def powers_w(self) -> list[tuple[float, float]]:
        """(time, total power) of every reading that is kept, oldest first; of a counter not of the first of a piece."""
        with self._lock:
            return [(sample.time_s, sample.power_w[TOTAL]) for sample in self._samples if TOTAL in sample.power_w]

    def at(self, time_s: float) -> Mark | None:
        """The energy up to that moment; None where it lies before, after or in a gap between the readings."""
        before, after = self._around(time_s)
        if before is not None and before.time_s == time_s:
            return Mark(time_s, before.number, before.energy_j, before.pieces)
        if before is None or after is None or before.pieces != after.pieces:
            return None
        step_s, since_s = after.time_s - before.time_s, time_s - before.time_s
        share = since_s / step_s
        if self._counts_energy:
            energy_j = {rail: j + (after.energy_j[rail] - j) * share for rail, j in before.energy_j.items()}
        else:  # p(t) is straight between two readings, so its integral is a parabola
            energy_j = {
                rail: j + (before.power_w[rail] + (after.power_w[rail] - before.power_w[rail]) * share / 2) * since_s
                for rail, j in before.energy_j.items()
            }
        return Mark(time_s, before.number, energy_j, before.pieces)

    def first_after(self, time_s: float) -> Mark | None:
        """The energy up to the first reading that is not before that moment."""
        first = None
        with self._lock:
            for sample in reversed(self._samples):
                if sample.time_s < time_s:
                    break
                first = sample
        return None if first is None else Mark(first.time_s, first.number, first.energy_j, first.pieces)

    def _around(self, time_s: float) -> tuple[_Sample | None, _Sample | None]:
        """The last sample not after that moment, and the one that follows it. What is asked for is mostly new."""
        after = None
        with self._lock:
            for sample in reversed(self._samples):
                if sample.time_s <= time_s:
                    return sample, after
                after = sample
        return None, after


def between(start: Mark | None, end: Mark | None) -> Figures | None:
    """The window from one mark to the other; None where one is missing or there is a gap between them."""
    if start is None or end is None or start.pieces != end.pieces or start.time_s >= end.time_s:
        return None
    seconds = end.time_s - start.time_s
    energy_j = {rail: joules - start.energy_j[rail] for rail, joules in end.energy_j.items()}
    mean_w = {rail: joules / seconds for rail, joules in energy_j.items()}
    return Figures(seconds, energy_j[TOTAL], mean_w, end.number - start.number)
