from __future__ import annotations

import pytest

from edge_sr.image.system_calls import ALLOW, AUDIT_ARCH, FAIL, NEEDED, NUMBER, RETURN, filter_for


def outcome(machine: str, arch: int, number: int) -> int:
    """What the filter says, run by hand."""
    program, place, word = filter_for(machine), 0, 0
    while True:
        code, if_true, if_false, constant = program[place]
        if code == RETURN:
            return constant
        if code == 0x20:
            word, jump = (number if constant == NUMBER else arch), 0
        else:
            jump = if_true if word == constant else if_false
        place += 1 + jump


@pytest.mark.parametrize("machine", NEEDED)
def test_what_is_needed_is_allowed_and_every_other_call_fails(machine: str) -> None:
    allowed = {number for number in range(600) if outcome(machine, AUDIT_ARCH[machine], number) == ALLOW}
    assert allowed == set(NEEDED[machine].values())
    assert outcome(machine, AUDIT_ARCH[machine], 0x40000000) == FAIL  # the x32 calls


@pytest.mark.parametrize("machine", NEEDED)
def test_calls_of_another_architecture_fail(machine: str) -> None:
    assert {outcome(machine, 0x40000003, number) for number in range(600)} == {FAIL}


def test_both_machines_are_allowed_the_same() -> None:
    assert NEEDED["x86_64"].keys() == NEEDED["aarch64"].keys()


def test_an_unknown_machine_has_no_filter() -> None:
    assert filter_for("riscv64") == []
