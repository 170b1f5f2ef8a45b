from __future__ import annotations

from edge_sr.bench.surroundings import Surroundings


def test_two_looks_at_one_machine_tell_the_same_of_it() -> None:
    first, second = Surroundings().told(), Surroundings().told()
    assert first.machine == second.machine and first.versions == second.versions
    assert first.machine["cores"] >= 1 and "available_mib" not in first.machine and "numpy" in first.versions
