"""What row 8 must see in a trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reliability.order import Call
from tests.reliability.row_hostile import _touched

SPOOL = Path("/s")
INSIDE = [
    Call("openat", ("/s/work/0/a.png",), 8, '"a.png",O_RDONLY|O_NOFOLLOW'),
    Call("openat", ("/s/outgoing/.0.png.part",), 8, "O_WRONLY|O_CREAT"),
    Call("renameat2", ("/s/incoming/a.png", "/s/work/0/a.png"), 0),
    Call("openat", ("/proc/stat",), 8, "O_RDONLY"),
    Call("openat", ("/home/somebody/a.png",), -2, "O_RDONLY"),
]


def test_what_the_service_does_in_its_folders_is_no_fault() -> None:
    assert list(_touched(INSIDE, SPOOL)) == []


@pytest.mark.parametrize(
    "call",
    [
        Call("openat", ("/outside/canary.png",), 8, "O_RDONLY"),
        Call("openat", ("/etc/passwd",), 8, "O_RDONLY"),
        Call("openat", ("/proc/self/mem",), 8, "O_RDWR"),
        Call("openat", ("/s/work/0/../../../x",), 8, "O_RDONLY"),
        Call("renameat2", ("/s/work/0/a.png", "/elsewhere/a.png"), 0),
        Call("unlinkat", ("/outside/canary.png",), 0),
    ],
    ids=lambda call: f"{call.name} {call.paths[-1]}",
)
def test_what_lies_outside_is_seen(call: Call) -> None:
    assert len(list(_touched([*INSIDE, call], SPOOL))) == 1
