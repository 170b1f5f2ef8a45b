"""Which of a Jetson's rails is the power of the whole module."""

from __future__ import annotations

from collections.abc import Mapping

from edge_sr.device.power.meter import TOTAL

# Rails before which nothing is measured and behind which everything lies (NVIDIA, Jetson Linux Developer Guide,
# "Power monitoring"): Orin Nano and NX, Thor, the first Nano.
INPUTS = ("VDD_IN", "VIN", "POM_5V_IN")
# AGX Orin has no such rail. There this one is fed from VIN_SYS_5V0: adding it would count it twice.
FED_BY_ANOTHER = ("VDDQ_VDD2_1V8AO",)


def with_total(rails_w: Mapping[str, float]) -> dict[str, float]:
    """The rails, and under TOTAL the power of the module: the input rail, or else the sum."""
    parts = parts_of_total(rails_w)
    return {**rails_w, TOTAL: sum(rails_w[rail] for rail in parts)} if parts else dict(rails_w)


def parts_of_total(rails_w: Mapping[str, float]) -> tuple[str, ...]:
    """Names of the rails that are added up."""
    found = tuple(rail for rail in INPUTS if rail in rails_w)[:1]
    return found or tuple(rail for rail in rails_w if rail not in FED_BY_ANOTHER)


def module_covers(rails_w: Mapping[str, float]) -> str:
    """In words, what TOTAL is the power of."""
    return f"the module ({' + '.join(parts_of_total(rails_w))})"
