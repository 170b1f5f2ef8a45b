"""One step of the check, and how it is taken: whatever goes wrong in it is written down, and the next one follows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from edge_sr.cli.exit_codes import code_of, message_of
from edge_sr.device.power.conditions import Conditions, read_conditions, throttled
from edge_sr.errors import DeviceLost

PASSED, FAILED, NOT_AVAILABLE = "passed", "failed", "not available"
SKIPPED, NOT_TRIED, INTERRUPTED = "skipped", "not tried", "interrupted"
GOOD = (PASSED, NOT_AVAILABLE, SKIPPED)


class NotAvailable(Exception):
    """This machine or backend has no such thing, or a step before failed; the message says which. No failure itself.

    figures: what is known all the same.
    """

    def __init__(self, reason: str, figures: Mapping[str, object] | None = None) -> None:
        super().__init__(reason)
        self.figures = figures or {}


@dataclass(frozen=True)
class Findings:
    """figures: JSON. faults: a sentence for each thing that is not as it has to be. line: the gist, for a person."""

    figures: Mapping[str, object] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    line: str = ""


@dataclass(frozen=True)
class Step:
    """about_s: how long it may take. on_device: not tried any more once the device is lost."""

    name: str
    measure: Callable[[], Findings]
    about_s: float = 1.0
    on_device: bool = True


@dataclass(frozen=True)
class Result:
    """What became of a step. reason: why it failed or was not taken. error: what was raised, else None.

    before, after: the machine at both ends. throttling: why clocks were held down in between, None where nothing tells.
    """

    name: str
    status: str
    reason: str = ""
    error: BaseException | None = None
    findings: Findings = Findings()
    seconds: float = 0.0
    before: Conditions | None = None
    after: Conditions | None = None
    throttling: Sequence[str] | None = None

    @property
    def good(self) -> bool:
        return self.status in GOOD

    def to_json(self, *, simulated: bool) -> dict[str, object]:
        return {
            "name": self.name,
            "status": self.status,
            "simulated": simulated,
            "reason": self.reason or None,
            "error": None if self.error is None else _error_json(self.error),
            "faults": list(self.findings.faults),
            "seconds": round(self.seconds, 3),
            "before": None if self.before is None else self.before.to_json(),
            "after": None if self.after is None else self.after.to_json(),
            "throttling": None if self.throttling is None else list(self.throttling),
            "figures": dict(self.findings.figures),
        }


def _error_json(error: BaseException) -> dict[str, object]:
    return {"kind": type(error).__name__, "message": message_of(error), "exit_code": code_of(error)}


def take(
    step: Step,
    *,
    look: Callable[[], Conditions] = read_conditions,
    clock: Callable[[], float] = time.perf_counter,
) -> Result:
    """The step's result; nothing that it raises gets out, a Ctrl-C too ends in a result.

    look: at the machine, before and after. No thread looks meanwhile: it would stand in the way of what is timed.
    """
    before, start_s = look(), clock()
    status, reason, error, findings = PASSED, "", None, Findings()
    try:
        findings = step.measure()
        if findings.faults:
            status, reason = FAILED, "; ".join(findings.faults)
    except NotAvailable as absent:
        status, reason, findings = NOT_AVAILABLE, str(absent), Findings(absent.figures)
    except KeyboardInterrupt:
        status, reason = INTERRUPTED, "interrupted"
    except Exception as raised:  # a bug of ours in one step is no reason to lose the others
        status, reason, error = FAILED, message_of(raised).partition("\n")[0], raised
    seconds, after = clock() - start_s, look()
    return Result(step.name, status, reason, error, findings, seconds, before, after, throttled([before, after]))


def take_all(
    steps: Sequence[Step],
    *,
    skip: Sequence[str] = (),
    begin: Callable[[int, Step], None] = lambda number, step: None,
    end: Callable[[Result], None] = lambda result: None,
    taken: Callable[[Step], Result] = take,
) -> list[Result]:
    """All steps in order. After a Ctrl-C none is tried any more, after a lost device none that needs it.

    skip: names of those that are left out. begin, end: told of each step, its number from 0.
    """
    results: list[Result] = []
    ended = ""
    lost = ""
    for number, step in enumerate(steps):
        begin(number, step)
        if ended:
            result = Result(step.name, NOT_TRIED, ended)
        elif step.name in skip:
            result = Result(step.name, SKIPPED, "--skip")
        elif lost and step.on_device:
            result = Result(step.name, NOT_TRIED, lost)
        else:
            result = taken(step)
        if result.status == INTERRUPTED:
            ended = f"interrupted in {step.name}"
        if isinstance(result.error, DeviceLost):
            lost = f"the device was lost in {step.name}; try: the same with --skip {step.name}"
        results.append(result)
        end(result)
    return results
