from __future__ import annotations

from collections.abc import Callable

import pytest

from build_engines.device_check.steps import Findings, NotAvailable, Result, Step, take, take_all
from edge_sr.device.power.conditions import Conditions
from edge_sr.errors import AccuracyError, DeviceLost


def raising(error: BaseException) -> Callable[[], Findings]:
    def measure() -> Findings:
        raise error

    return measure


def good() -> Findings:
    return Findings({"ms": 1.0})


def statuses(results: list[Result]) -> dict[str, str]:
    return {result.name: result.status for result in results}


def test_figures_of_a_step_are_kept_and_it_passed() -> None:
    result = take(Step("a", good))
    assert (result.status, result.reason, result.findings.figures) == ("passed", "", {"ms": 1.0})


def test_a_fault_fails_the_step_and_its_figures_stay() -> None:
    result = take(Step("a", lambda: Findings({"ms": 1.0}, faults=("too slow", "too hot"))))
    assert (result.status, result.reason) == ("failed", "too slow; too hot")
    assert result.to_json(simulated=False)["figures"] == {"ms": 1.0}


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [(AccuracyError("strays", hint="fp16"), 4, "strays"), (ZeroDivisionError("x"), 70, "ZeroDivisionError: x")],
)
def test_what_a_step_raises_is_written_down_and_the_next_follows(error: Exception, code: int, message: str) -> None:
    first, second = take_all([Step("a", raising(error)), Step("b", good)])
    assert (first.status, first.reason, second.status) == ("failed", message, "passed")
    told = first.to_json(simulated=False)["error"]
    assert isinstance(told, dict) and (told["kind"], told["exit_code"]) == (type(error).__name__, code)


def test_what_a_machine_does_not_have_is_no_failure() -> None:
    result = take(Step("a", raising(NotAvailable("no meter", {"missing": "jtop"}))))
    assert (result.status, result.reason, result.good) == ("not available", "no meter", True)
    assert result.findings.figures == {"missing": "jtop"}


def test_after_a_lost_device_only_steps_without_it_are_tried() -> None:
    steps = [Step("a", raising(DeviceLost("gone"))), Step("b", good), Step("c", good, on_device=False)]
    results = take_all(steps)
    assert statuses(results) == {"a": "failed", "b": "not tried", "c": "passed"}
    assert "--skip a" in results[1].reason


def test_after_an_interrupt_nothing_is_tried() -> None:
    results = take_all([Step("a", raising(KeyboardInterrupt())), Step("b", good, on_device=False)])
    assert statuses(results) == {"a": "interrupted", "b": "not tried"}
    assert not any(result.good for result in results)


def test_a_skipped_step_is_not_measured() -> None:
    results = take_all([Step("a", raising(AssertionError())), Step("b", good)], skip=["a"])
    assert statuses(results) == {"a": "skipped", "b": "passed"}


def test_events_of_throttling_are_those_between_both_ends() -> None:
    looks = iter([Conditions(throttle_counts={"oc1": 2}), Conditions(throttle_counts={"oc1": 3})])
    assert take(Step("a", good), look=lambda: next(looks)).throttling == ["oc1"]


def test_a_machine_that_tells_nothing_of_throttling_is_not_said_to_be_free_of_it() -> None:
    assert take(Step("a", good), look=Conditions).throttling is None


def test_everything_of_a_simulated_run_says_so() -> None:
    assert take(Step("a", good)).to_json(simulated=True)["simulated"] is True
