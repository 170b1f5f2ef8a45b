from __future__ import annotations

import pytest

from edge_sr.bench.roofline.devices import NUMBERS, device_named, devices
from edge_sr.errors import UsageError

SM_AND_MHZ = {
    "orin-nano-8gb-15w": (8, 612),
    "orin-nano-8gb-25w": (8, 918),
    "orin-nano-8gb-maxn-super": (8, 1020),
    "orin-nx-16gb-25w": (8, 408),
    "orin-nx-16gb-40w": (8, 1173),
    "agx-orin-50w": (16, 816),
    "agx-orin-maxn": (16, 1300),
}


@pytest.mark.parametrize("name", SM_AND_MHZ)
def test_peaks_are_clock_times_width(name: str) -> None:
    """sm_87 does 4096, 2048 and 1024 operations a clock and SM in int8, FP16 and TF32."""
    sm, mhz = SM_AND_MHZ[name]
    rates = {"int8": 4096, "fp16": 2048, "fp32": 1024}
    found = devices()[name].tops
    assert found == pytest.approx({each: sm * rate * mhz / 1e6 for each, rate in rates.items()}, abs=0.006)


def test_every_number_of_every_device_has_a_source() -> None:
    assert set(devices()) == set(SM_AND_MHZ)
    assert all(set(device.sources) == set(NUMBERS) for device in devices().values())


def test_what_a_launch_costs_is_said_to_be_assumed() -> None:
    assert all(device.sources["launch_us"].startswith("assumed") for device in devices().values())


def test_an_unknown_device_names_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"no such device: orin; expected orin-nano-8gb-15w, .*, this-cpu"):
        device_named("orin")


def test_a_precision_without_arithmetic_is_refused() -> None:
    with pytest.raises(UsageError, match="no int4 arithmetic"):
        device_named("agx-orin-maxn").peak("int4")
