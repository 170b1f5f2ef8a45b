"""How far the check is, on stderr, so that the summary on stdout can be kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import click

from build_engines.device_check.steps import PASSED, Result, Step


@dataclass(frozen=True)
class Progress:
    """simulated: every line says so."""

    simulated: bool

    def begin(self, number: int, steps: Sequence[Step], skip: Sequence[str]) -> None:
        left_s = sum(step.about_s for step in steps[number:] if step.name not in skip)
        step = steps[number]
        about = f", about {step.about_s:.0f} s" if step.about_s >= 1 else ""
        self._say(f"[{number + 1:>2}/{len(steps)}] {step.name}{about}; about {_minutes(left_s)} to go")

    def end(self, result: Result) -> None:
        gist = result.findings.line if result.status == PASSED else result.reason
        self._say(f"        {result.status} in {result.seconds:.1f} s{f': {gist}' if gist else ''}")

    def tell(self, line: str) -> None:
        """A line of a build."""
        self._say(f"          {line}")

    def _say(self, line: str) -> None:
        click.echo(f"SIMULATED {line}" if self.simulated else line, err=True)


def _minutes(seconds: float) -> str:
    if seconds < 10:
        return "10 s"
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
