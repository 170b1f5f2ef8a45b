"""Which meter there is on this machine, and why the others are none."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from edge_sr.device.power.ina3221 import Ina3221
from edge_sr.device.power.jetson_stats import JetsonStats
from edge_sr.device.power.meter import Meter, MeterFault
from edge_sr.device.power.nvml import Nvml
from edge_sr.device.power.rapl import Rapl
from edge_sr.device.power.tegrastats import Tegrastats

# In the order in which they are tried: from the most that a source tells of a board to the least.
METERS: Mapping[str, Callable[[], Meter]] = {
    "jtop": JetsonStats,
    "ina3221": Ina3221,
    "tegrastats": Tegrastats,
    "nvml": Nvml,
    "rapl": Rapl,
}
PATIENCE_S = 5.0  # for a source to open: a service may hang, a GPU's driver takes a second to wake


@dataclass(frozen=True)
class Found:
    """meter: the first that answers, None where none does. missing: why each that was tried before it does not."""

    meter: Meter | None
    missing: Mapping[str, MeterFault]

    @property
    def reasons(self) -> dict[str, str]:
        """What was looked for and did not serve, in one line a meter."""
        return {name: str(fault).replace("\n  try: ", "; try: ") for name, fault in self.missing.items()}


def find_meter(
    name: str | None = None, *, meters: Mapping[str, Callable[[], Meter]] = METERS, patience_s: float = PATIENCE_S
) -> Found:
    """The first meter that answers, or the one of that name. It does not raise where there is none."""
    missing: dict[str, MeterFault] = {}
    for each in [name] if name is not None else meters:
        try:
            return Found(_opened(meters[each], each, patience_s), missing)
        except MeterFault as fault:
            missing[each] = fault
    return Found(None, missing)


def _opened(open_meter: Callable[[], Meter], name: str, patience_s: float) -> Meter:
    """The meter, made in a thread of its own: one that hangs is left behind."""
    answer: queue.SimpleQueue[Meter | BaseException] = queue.SimpleQueue()
    late = threading.Event()

    def attempt() -> None:
        try:
            made: Meter | BaseException = open_meter()
        except BaseException as error:
            made = error
        answer.put(made)
        if late.is_set() and not isinstance(made, BaseException):
            with suppress(Exception):
                made.close()

    threading.Thread(target=attempt, name=f"edge-sr opens {name}", daemon=True).start()
    try:
        made = answer.get(timeout=patience_s)
    except queue.Empty:
        late.set()
        raise MeterFault(f"no answer within {patience_s:g} s") from None
    if isinstance(made, MeterFault):
        raise made
    if isinstance(made, BaseException):  # what a source raises says nothing about us
        raise MeterFault(f"{type(made).__name__}: {made}") from made
    return made
