"""A power meter for tests."""

from __future__ import annotations

from edge_sr.device.power.meter import TOTAL, Reading


class TwoWatts:
    """It always reads the same."""

    name, covers = "test", "a test"
    interval_s, longest_gap_s, counts_energy = 0.02, 5.0, False

    def read(self) -> Reading:
        return Reading({TOTAL: 2.0})

    def close(self) -> None:
        """Nothing is open."""
