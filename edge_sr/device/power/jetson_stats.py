"""jtop, of the package jetson-stats (AGPL-3.0): optional, imported here alone and only where it is asked for power."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from edge_sr.device.power.meter import TOTAL, MeterFault, Reading
from edge_sr.device.power.rails import module_covers, with_total


class JetsonStats:
    """Power as jtop's service tells it. ``avg`` of a rail is no mean over our window and is left alone.

    interval_s: asked for; the service may have been started with another, and then repeats its values.
    """

    name = "jtop"
    interval_s = 0.5
    longest_gap_s = 2.5
    counts_energy = False

    def __init__(self) -> None:
        try:
            from jtop import jtop
        except ImportError as error:
            raise MeterFault("the package jetson-stats is not installed", hint="pip install jetson-stats") from error
        self._jtop: Any = None
        try:
            self._jtop = jtop(interval=self.interval_s)
            self._jtop.start()
            self.covers = _covers(self._jtop.power)
        except Exception as error:  # JtopException, OSError: whatever a service that does not run gives
            with suppress(Exception):
                self.close()
            hint = "sudo systemctl restart jtop.service"
            raise MeterFault(f"its service does not answer ({error})", where="jtop", hint=hint) from error

    def read(self) -> Reading:
        board = self._jtop
        try:
            if not board.ok(spin=True):
                raise MeterFault("its service stopped", where="jtop")
            return Reading(
                _watts(board.power),
                temperatures_c=_temperatures_c(board.temperature),
                power_mode=getattr(board.nvpmodel, "name", None),  # nvpmodel is None on boards without modes
                jetson_clocks=None if board.jetson_clocks is None else bool(board.jetson_clocks),
            )
        except MeterFault:
            raise
        except Exception as error:
            raise MeterFault(f"no reading ({type(error).__name__}: {error})", where="jtop") from error

    def close(self) -> None:
        self._jtop.close()


def _watts(power: Any) -> dict[str, float]:
    """Rails and total from ``jtop.power``, which is in mW."""
    rails_w = {str(name): rail["power"] / 1e3 for name, rail in power["rail"].items()}
    total = power["tot"]
    if "name" in total:  # an input rail, which jtop takes out of the others
        return {**rails_w, total["name"]: total["power"] / 1e3, TOTAL: total["power"] / 1e3}
    # A sum of jtop's own making counts on AGX Orin one rail twice, see rails.py.
    return with_total(rails_w) if rails_w else {TOTAL: total["power"] / 1e3}


def _covers(power: Any) -> str:
    return module_covers({rail: 0 for rail in _watts(power) if rail != TOTAL}) if power["rail"] else "the module"


def _temperatures_c(sensors: Any) -> dict[str, float]:
    """jetson-stats 3 gives a number a sensor, 4 and later {"temp": 46.5, "online": True}."""
    found = {}
    for name, sensor in sensors.items():
        value = sensor if not isinstance(sensor, dict) else sensor["temp"] if sensor.get("online", True) else None
        if value is not None and value > -200:
            found[str(name)] = float(value)
    return found
