"""One thread that reads a meter and the machine's conditions, whatever the meter does.

It is a daemon and nobody waits for its readings, so a source that stalls, vanishes or prints rubbish costs figures and
never a picture.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from edge_sr.device.power.conditions import Conditions
from edge_sr.device.power.meter import Meter, MeterFault, Reading, checked
from edge_sr.device.power.trace import Trace

LOOK_S = 1.0  # from one look at the conditions to the next: clocks and heat move slowly, and it opens many files
GIVE_UP = 40  # readings in a row that failed
SILENCE_S = 5.0  # without a reading, good or failed, before the source counts as stalled
STOP_S = 1.5  # how long the end waits for a reading that is under way


class Sampler:
    """meter: None where there is none; conditions are then looked at alone.

    look: reads the conditions. clock: the one that windows are told in.
    """

    def __init__(
        self, meter: Meter | None, look: Callable[[], Conditions], *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.meter, self._look, self._clock = meter, look, clock
        self.trace = Trace(
            counts_energy=meter is not None and meter.counts_energy,
            longest_gap_s=0.0 if meter is None else meter.longest_gap_s,
        )
        self.moments: deque[tuple[float, Conditions]] = deque(maxlen=512)  # (time, conditions)
        self.fault: str | None = None  # the first one
        self._reading: Reading | None = None
        self._failed_in_a_row = 0
        self._last_step_s = clock()
        self._look_wanted, self._wake = False, threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="edge-sr power", daemon=True)

    @property
    def reads(self) -> bool:
        """Whether further readings may come."""
        return self.meter is not None and self._failed_in_a_row < GIVE_UP and not self.stalled

    @property
    def stalled(self) -> bool:
        """Whether a reading is under way that does not come back."""
        return self._thread.is_alive() and self._clock() - self._last_step_s > SILENCE_S

    def start(self) -> None:
        """Begin to read, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread. One that hangs in its source is left behind, after STOP_S."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=STOP_S)

    def ask_look(self) -> None:
        """Have the thread look at the conditions now; who asks does not wait."""
        self._look_wanted = True
        self._wake.set()

    def step(self) -> None:
        """One reading, and the conditions where it is time. Nothing that a source raises gets out."""
        if self.reads:
            self._read()
        if self._look_wanted or not self.moments or self._clock() - self.moments[-1][0] >= LOOK_S:
            self._look_wanted = False
            self._look_now()
        self._last_step_s = self._clock()

    def trouble(self) -> str | None:
        """What to tell of the source, once and at the end; None where all went well."""
        if self.meter is not None and self.stalled:
            return f"{self.meter.name}: has not answered for {self._clock() - self._last_step_s:.0f} s"
        return self.fault

    def _read(self) -> None:
        assert self.meter is not None
        began_s = self._clock()
        try:
            reading = self.meter.read()
            checked(reading.values, counts_energy=self.meter.counts_energy, where=self.meter.name)
        except Exception as error:  # a source may raise anything
            self._failed_in_a_row += 1
            self._reading = None
            self._note(str(error) if isinstance(error, MeterFault) else f"{self.meter.name}: {error!r}")
            return
        self._failed_in_a_row = 0
        self._reading = reading
        # A source that sets the pace gives what has just come in; others are read somewhere in the middle.
        now_s = self._clock()
        self.trace.add(now_s if self.meter.interval_s == 0 else (began_s + now_s) / 2, reading.values)

    def _look_now(self) -> None:
        now_s = self._clock()
        try:
            conditions = self._look()
        except Exception as error:  # a bug of ours must not end the thread
            self._note(f"conditions: {type(error).__name__}: {error}")
            conditions = Conditions()
        if self._reading is not None:
            conditions = conditions.with_reading(self._reading)
        self.moments.append((now_s, conditions))

    def _note(self, fault: str) -> None:
        self.fault = self.fault or fault

    def _pause_s(self) -> float:
        """Until the next step; a source that sets the pace is waited for inside ``read``, unless it fails."""
        if not self.reads:
            return LOOK_S
        assert self.meter is not None
        return 0.05 if self._failed_in_a_row else self.meter.interval_s

    def _run(self) -> None:
        due_s = self._clock()
        while not self._stop.is_set():
            self.step()
            due_s = max(due_s + self._pause_s(), self._clock())
            self._wake.wait(due_s - self._clock())
            self._wake.clear()
        if self.meter is not None:
            try:
                self.meter.close()
            except Exception as error:
                self._note(f"{self.meter.name}: {error}")
