from __future__ import annotations

import pytest

from build_engines.device_check import machine
from build_engines.device_check.machine import ask_doctor, looking


def test_the_power_mode_is_asked_anew_at_each_look(monkeypatch: pytest.MonkeyPatch) -> None:
    modes = iter(["25W", "15W"])
    monkeypatch.setattr(machine, "read_power_mode", lambda: next(modes))
    look = looking("25W")
    assert [look().power_mode, look().power_mode] == ["25W", "15W"]


def test_a_machine_without_power_modes_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "read_power_mode", lambda: pytest.fail("asked"))
    assert looking(None)().power_mode is None


@pytest.mark.parametrize(("status", "faults"), [("fault", ("python: 3.9",)), ("note", ()), ("ok", ())])
def test_a_fault_of_the_doctor_is_one_of_the_step(
    monkeypatch: pytest.MonkeyPatch, status: str, faults: tuple[str, ...]
) -> None:
    check = {"name": "python", "status": status, "found": "3.9", "hint": ""}
    monkeypatch.setattr(machine, "report", lambda: {"ok": not faults, "checks": [check]})
    found = ask_doctor()
    assert found.faults == faults and found.figures["checks"] == [check]
