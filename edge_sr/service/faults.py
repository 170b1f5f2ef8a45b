"""What can go wrong with a job's files, sorted by what is to be done about it. No message here holds a file's name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from edge_sr.errors import EdgeSRError, EnvironmentFault, InputError
from edge_sr.image.atomic import FORBIDDEN, FULL

# The reason codes of the file layer; decoding adds "decoder-crashed", "decoder-timeout" and "decoder-memory".
REFUSED, INCOMPLETE, TOO_OFTEN = "refused", "incomplete", "too-often"
LINK, SPECIAL_FILE, SEVERAL_LINKS = "link", "special-file", "several-links"


class DiskFull(EnvironmentFault):
    """No space, no quota, or a limit on the size of files: passing, and told by statvfs rather than by trying."""


class CannotClaim(EnvironmentFault):
    """This one name cannot be moved, as another's file in a folder with the sticky bit; the others can."""


class Unfit(InputError):
    """Permanent: the job belongs into quarantine. reason: its code there."""

    def __init__(self, what: str, *, reason: str = REFUSED, where: object = "", expected: str = "", hint: str = ""):
        super().__init__(what, where=where, expected=expected, hint=hint)
        self.reason = reason


class StillWritten(EdgeSRError):
    """The file changed while it was read, or has no proper end yet: somebody is still writing it."""


@contextmanager
def passing(folder: str) -> Iterator[None]:
    """OSErrors as EnvironmentFault, full disks as DiskFull. folder: by its plain name, as "outgoing"."""
    try:
        yield
    except OSError as fault:
        raise passing_fault(fault, folder) from fault


def passing_fault(fault: OSError, folder: str) -> EnvironmentFault:
    """``fault`` without the names that its own text holds."""
    if fault.errno in FULL:
        return DiskFull("no space left", where=folder, hint="df -h")
    hint = f"ls -ld of the spool's folder {folder}" if fault.errno in FORBIDDEN else ""
    return EnvironmentFault(f"the folder failed ({fault.strerror})", where=folder, hint=hint)
