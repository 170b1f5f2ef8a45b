"""What a process that reads hostile bytes gives up: memory, time, new descriptors, new processes, system calls.

Linux only. What a kernel lacks is passed over: each of these stands behind another.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
from pathlib import Path

from edge_sr.image.system_calls import allow_only_what_is_needed

# linux/prctl.h
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NAME, PR_SET_NO_NEW_PRIVS = 1, 4, 15, 38
IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE)

_libc = ctypes.CDLL(None, use_errno=True)


def prctl(option: int, argument: int | bytes) -> bool:
    """Whether the kernel took it."""
    rest = [ctypes.c_ulong(0)] * 3
    value = ctypes.c_char_p(argument) if isinstance(argument, bytes) else ctypes.c_ulong(argument)
    return bool(_libc.prctl(option, value, *rest) == 0)


def limit(which: int, soft: int, hard: int | None = None) -> None:
    """Lower a limit for good; one that is lower already stays."""
    _, was = resource.getrlimit(which)
    hard = soft if hard is None else hard
    if was != resource.RLIM_INFINITY:
        soft, hard = min(soft, was), min(hard, was)
    resource.setrlimit(which, (soft, hard))


def leave_signals_to_the_parent() -> None:
    """Ctrl-C and systemd's SIGTERM are meant for the parent, which finishes its picture and then closes the socket."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for each in IGNORED:
        signal.signal(each, signal.SIG_IGN)


def confine_zygote() -> None:
    """What the children inherit at no cost of their own."""
    prctl(PR_SET_NAME, b"edge-sr-decode")
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_FSIZE, 0)
    with contextlib.suppress(OSError):  # where memory runs out, the kernel takes these first
        Path("/proc/self/oom_score_adj").write_text("1000")


def confine_child(*, memory_bytes: int, cpu_seconds: int, parent: int) -> None:
    """For one file. memory_bytes: of address space beside what the zygote had."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)
    prctl(PR_SET_DUMPABLE, 0)  # no core file of pixels, even through a core pipe; no ptrace
    limit(resource.RLIMIT_AS, memory_bytes)
    limit(resource.RLIMIT_CPU, cpu_seconds, cpu_seconds + 1)  # SIGXCPU, then SIGKILL
    limit(resource.RLIMIT_NPROC, 0)  # root passes it


def open_no_more() -> None:
    """What is open stays usable; the rest of the kernel is out of reach, but for memory."""
    limit(resource.RLIMIT_NOFILE, 0)
    allow_only_what_is_needed()


def address_space() -> int:
    """Bytes of address space of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()
