from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_sr.device.power.meter import MeterFault
from edge_sr.device.power.rapl import PLACE, Rapl
from tests.device.power.stand_ins import write_tree

RANGE_UJ = 262_143_328_850
ZONES = {
    "intel-rapl:0": "package-0",
    "intel-rapl:0:0": "core",
    "intel-rapl:0:1": "dram",
    "intel-rapl:1": "package-1",
    "intel-rapl:2": "psys",
    "intel-rapl-mmio:0": "package-0",
}


def pc(root: Path, **energy_uj: int) -> Path:
    """Two sockets. energy_uj: by zone, with _ for what stands between the numbers; 1 J elsewhere."""
    for zone, name in ZONES.items():
        value = energy_uj.get(zone.replace("-", "_").replace(":", "_"), 1_000_000)
        files = {"name": name, "energy_uj": value, "max_energy_range_uj": RANGE_UJ}
        write_tree(root / PLACE / zone, files)
    write_tree(root / PLACE / "intel-rapl", {"enabled": 1})
    return root


def test_packages_and_memory_count_and_what_lies_inside_or_around_does_not(tmp_path: Path) -> None:
    values = Rapl(pc(tmp_path, intel_rapl_0=5_000_000, intel_rapl_0_1=2_000_000)).read().values
    assert values == {
        "package-0": 5.0, "package-0/core": 1.0, "package-0/dram": 2.0, "package-1": 1.0, "psys": 1.0, "total": 8.0
    }  # fmt: skip


def test_a_counter_that_wraps_goes_on_rising(tmp_path: Path) -> None:
    meter = Rapl(pc(tmp_path, intel_rapl_0=RANGE_UJ - 999_999))
    before = meter.read().values["package-0"]
    for lap, now in enumerate((1_000_000, 4_000_000), start=0):
        pc(tmp_path, intel_rapl_0=now)
        assert meter.read().values["package-0"] - before == pytest.approx(2.0 + 3.0 * lap)


def test_what_only_root_may_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> bytes:
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return bytes_of(path)

    pc(tmp_path)
    bytes_of = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(MeterFault, match=r"only root may read it(.|\n)*sudo"):
        Rapl(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_read_permission_is_told_as_that(tmp_path: Path) -> None:
    (pc(tmp_path) / PLACE / "intel-rapl:0/energy_uj").chmod(0)
    with pytest.raises(MeterFault, match="only root may read it"):
        Rapl(tmp_path)


def test_a_machine_without_counters(tmp_path: Path) -> None:
    with pytest.raises(MeterFault, match="no energy counters"):
        Rapl(tmp_path)


def test_a_counter_that_vanishes_is_named(tmp_path: Path) -> None:
    meter = Rapl(pc(tmp_path))
    (tmp_path / PLACE / "intel-rapl:1/energy_uj").unlink()
    with pytest.raises(MeterFault, match="intel-rapl:1/energy_uj: cannot be read"):
        meter.read()
