"""What systemd itself says to the unit files."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import UNITS, Analyse

DROP_INS = sorted(path.name for path in (UNITS / "drop-ins").glob("*.conf"))
SERVICES = ("edge-sr.service", "edge-sr-build.service")
LIMIT = 1.0


def exposure(analyse: Analyse, unit: Path) -> float:
    told = analyse("security", "--offline=yes", "--no-pager", unit).stdout
    return float(told.rsplit("exposure level for", 1)[1].split(":")[1].split()[0])


def lay_over(units: Path, drop_in: str) -> None:
    text = (UNITS / "drop-ins" / drop_in).read_text("utf-8")
    (named,) = (line.removeprefix("# Units: ") for line in text.splitlines() if line.startswith("# Units: "))
    for name in named.split():
        folder = units / f"{name}.service.d"
        folder.mkdir()
        (folder / drop_in).write_text(text)


def test_verify_has_nothing_to_say(units: Path, analyse: Analyse) -> None:
    """It exits 0 on an unknown name, so silence is asked for."""
    done = analyse("verify", *sorted(units.glob("*.service")))
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")


def test_verify_would_tell_of_a_misspelt_name(units: Path, analyse: Analyse) -> None:
    unit = units / "edge-sr.service"
    unit.write_text(unit.read_text().replace("ProtectHome=", "ProtectHomes="))
    assert "ProtectHomes" in analyse("verify", unit).stderr


@pytest.mark.parametrize("name", SERVICES)
def test_exposure_stays_within_the_limit(units: Path, analyse: Analyse, name: str) -> None:
    done = analyse("security", "--offline=yes", "--no-pager", f"--threshold={LIMIT * 10:.0f}", units / name)
    assert done.returncode == 0, done.stdout
    assert exposure(analyse, units / name) <= LIMIT


def test_the_limit_is_one_that_can_be_missed(units: Path, analyse: Analyse) -> None:
    unit = units / "edge-sr.service"
    unit.write_text(unit.read_text().replace("PrivateNetwork=yes", "").replace("SystemCallFilter=", "#"))
    assert analyse("security", "--offline=yes", "--no-pager", "--threshold=10", unit).returncode != 0


@pytest.mark.parametrize("drop_in", DROP_INS)
def test_each_drop_in_is_read_and_keeps_the_rest(units: Path, analyse: Analyse, drop_in: str) -> None:
    lay_over(units, drop_in)
    done = analyse("verify", *(units / name for name in SERVICES))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("drop_in", [name for name in DROP_INS if name.startswith("relax-")])
def test_a_relaxed_directive_costs_little(units: Path, analyse: Analyse, drop_in: str) -> None:
    before = exposure(analyse, units / "edge-sr.service")
    unit = units / "edge-sr.service"
    relaxed = (UNITS / "drop-ins" / drop_in).read_text("utf-8").partition("[Service]")[2]
    unit.write_text(unit.read_text() + f"\n[Service]{relaxed}")
    limit = 2.0 if drop_in == "relax-system-calls.conf" else LIMIT
    assert before <= exposure(analyse, unit) <= limit
