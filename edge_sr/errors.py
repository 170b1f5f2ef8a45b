"""What can go wrong, as one tree.

EdgeSRError
├── UsageError          the command line asks for something impossible
├── EnvironmentFault    this machine lacks a package, a permission, space on a disk
│   └── DeviceLost      the GPU or its driver failed; only a new process can go on
├── InputError          one input file cannot be served; the others can
├── IntegrityError      a bundle or one of its files is not what it claims to be
├── AccuracyError       a quantised or cast network strays too far from its float32 graph
└── RegressionError     a run is worse than its baseline by more than was allowed

The command line turns these into exit codes in one place, ``edge_sr.cli.exit_codes``.
"""

from __future__ import annotations


class EdgeSRError(Exception):
    """An expected failure, told so that the reader knows what to do next.

    what: what is wrong, without a full stop.
    where: the file, field or tensor it is about.
    expected: what would have been right.
    hint: what to type or change next.
    """

    def __init__(self, what: str, *, where: object = "", expected: str = "", hint: str = "") -> None:
        self.what = what
        self.where = str(where)
        self.expected = expected
        self.hint = hint
        super().__init__(str(self))

    def __str__(self) -> str:
        message = f"{self.where}: {self.what}" if self.where else self.what
        if self.expected:
            message += f"; expected {self.expected}"
        if self.hint:
            message += f"\n  try: {self.hint}"
        return message


class UsageError(EdgeSRError):
    """The command line asks for something impossible."""


class EnvironmentFault(EdgeSRError):
    """This machine lacks something: a package, a permission, space on a disk."""


class DeviceLost(EnvironmentFault):
    """The GPU or its driver failed under a running network. What CUDA answers in this process is errors from now on."""


class InputError(EdgeSRError):
    """One input file cannot be served; the others can."""


class IntegrityError(EdgeSRError):
    """A bundle or one of its files is not what it claims to be."""


class AccuracyError(EdgeSRError):
    """A quantised or cast network strays too far from its float32 graph."""


class RegressionError(EdgeSRError):
    """A run is worse than its baseline by more than was allowed."""
