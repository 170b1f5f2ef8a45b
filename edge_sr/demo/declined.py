"""What the page is told where something cannot be done: an HTTP status, and what, expected, hint."""

from __future__ import annotations

from edge_sr.errors import DeviceLost, EdgeSRError, EnvironmentFault, InputError, UsageError


class Declined(EdgeSRError):
    """A request that is turned down. code: for the page's own script, "" where nothing depends on it."""

    def __init__(self, status: int, what: str, *, expected: str = "", hint: str = "", code: str = "") -> None:
        self.status, self.code = status, code
        super().__init__(what, expected=expected, hint=hint)


_STATUS: tuple[tuple[type[EdgeSRError], int], ...] = (  # the first row that fits counts
    (InputError, 422),
    (UsageError, 400),
    (DeviceLost, 503),
    (EnvironmentFault, 503),
)
_IN_THE_PAGE = {"--samples 1": "another model", "--fidelity 0": "fidelity below 1"}  # instead of a command's words


def status_of(error: EdgeSRError) -> int:
    if isinstance(error, Declined):
        return error.status
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def told(error: EdgeSRError) -> dict[str, object]:
    """The JSON document of an error. Where it is about stays out: that may be a path of this machine."""
    code = error.code if isinstance(error, Declined) else ""
    hint = _IN_THE_PAGE.get(error.hint, error.hint)
    subject = "this file " if error.what.startswith(("is ", "has ", "holds ")) else ""
    return {"error": {"what": subject + error.what, "expected": error.expected, "hint": hint, "code": code}}


def unforeseen() -> Declined:
    """For an error of ours: the visitor can do nothing about it but tell."""
    return Declined(
        500, "something went wrong in edge-sr itself", hint="try again; the terminal says where it happened"
    )
