"""Exceptions into exit codes and messages, once, for every command of both console scripts."""

from __future__ import annotations

import errno
import os
import traceback
from collections.abc import Callable

import click

from edge_sr.errors import (
    AccuracyError,
    DeviceLost,
    EdgeSRError,
    EnvironmentFault,
    InputError,
    IntegrityError,
    RegressionError,
    UsageError,
)

# What a console script returns to the shell.
DONE = 0
SOME_INPUTS_FAILED = 1  # the others are done
USAGE = 2  # the command line asks for something impossible
ENVIRONMENT = 3  # this machine lacks a package, a permission, space on a disk
ACCURACY = 4  # a quantised or cast network strays too far from its float32 graph
INTEGRITY = 5  # a bundle or one of its files is not what it claims to be
REGRESSION = 6  # a run is worse than its baseline by more than was allowed
BUG = 70  # EX_SOFTWARE of sysexits.h
DEVICE_LOST = 71  # EX_OSERR of sysexits.h: the GPU or its driver failed, a new process may go on
ANOTHER_INSTANCE = 75  # EX_TEMPFAIL of sysexits.h: another process has what this one needs
INTERRUPTED = 130  # 128 + SIGINT, as a shell shows it

# The first row that fits counts. A bare EdgeSRError is one that nobody gave a kind: ours to mend.
_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (InputError, SOME_INPUTS_FAILED),
    (UsageError, USAGE),
    (DeviceLost, DEVICE_LOST),
    (EnvironmentFault, ENVIRONMENT),
    (AccuracyError, ACCURACY),
    (IntegrityError, INTEGRITY),
    (RegressionError, REGRESSION),
    (click.Abort, INTERRUPTED),
    (KeyboardInterrupt, INTERRUPTED),
    (click.ClickException, USAGE),
)
# A net below image/atomic.py, which tells these better.
_ENVIRONMENT_ERRNOS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def code_of(error: BaseException) -> int:
    """Exit code of an exception; BUG for every kind that nobody foresaw."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    if isinstance(error, OSError) and error.errno in _ENVIRONMENT_ERRNOS:
        return ENVIRONMENT
    return BUG


def message_of(error: BaseException) -> str:
    """What stands behind ``error: `` on stderr."""
    if isinstance(error, EdgeSRError):
        return str(error)
    if isinstance(error, click.ClickException):
        context = getattr(error, "ctx", None)
        hint = f"\n  try: {context.command_path} --help" if context else ""
        return error.format_message() + hint
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        return "interrupted"
    if code_of(error) == ENVIRONMENT:
        return str(error)
    return f"{type(error).__name__}: {error}\n  this is a bug in edge-sr; try: the same command with EDGE_SR_DEBUG=1"


def guarded(command: Callable[[], object]) -> int:
    """Run ``command``, tell what went wrong on stderr, return the exit code.

    command: returns None or an exit code. A closed pipe is click's business: it leaves quietly, with 1.
    """
    try:
        result = command()
        return result if isinstance(result, int) else DONE
    except (Exception, KeyboardInterrupt) as error:
        return report(error)


def report(error: BaseException) -> int:
    """Tell ``error`` on stderr (with a traceback where EDGE_SR_DEBUG is set) and return its exit code."""
    code = code_of(error)
    if os.environ.get("EDGE_SR_DEBUG"):
        traceback.print_exception(error)
    click.echo(f"error: {message_of(error)}", err=True)
    return code
