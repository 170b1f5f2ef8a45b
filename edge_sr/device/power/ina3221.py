"""INA3221: the current monitors of a Jetson, as Linux's driver shows them in sysfs. No privilege is needed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from edge_sr.device.power.meter import MeterFault, Reading
from edge_sr.device.power.rails import module_covers, with_total

PLACE = "sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*"  # the numbers differ from boot to boot
CHANNELS = (1, 2, 3)  # in4..in6 are shunt voltages and in7 their sum (kernel, Documentation/hwmon/ina3221.rst)


class Ina3221:
    """Rails of all monitors of the board.

    root: of the file system; another one in tests.
    """

    name = "ina3221"
    interval_s = 0.05
    longest_gap_s = 0.5
    counts_energy = False

    def __init__(self, root: Path = Path("/")) -> None:
        self._channels = dict(_channels(root))
        if not self._channels:
            raise MeterFault("no monitor with a named channel", where=root / PLACE)
        self.covers = module_covers(self._rails_w())

    def read(self) -> Reading:
        return Reading(with_total(self._rails_w()))

    def close(self) -> None:
        pass

    def _rails_w(self) -> dict[str, float]:
        return {
            label: _number(folder / f"in{channel}_input") * _number(folder / f"curr{channel}_input") / 1e6  # mV * mA
            for label, (folder, channel) in self._channels.items()
        }


def _channels(root: Path) -> Iterator[tuple[str, tuple[Path, int]]]:
    """(label, (folder, channel)) of all that is connected."""
    for folder in sorted(root.glob(PLACE)):
        for channel in CHANNELS:
            label = _text(folder / f"in{channel}_label")
            if label and not re.search(r"\bNC\b", label) and (folder / f"curr{channel}_input").exists():
                yield label, (folder, channel)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> int:
    try:
        return int(path.read_bytes())
    except OSError as error:
        raise MeterFault(f"cannot be read ({error.strerror})", where=path) from error
    except ValueError as error:
        raise MeterFault("is not a whole number", where=path) from error
