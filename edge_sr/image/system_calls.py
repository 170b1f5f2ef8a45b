"""The few system calls that decoding needs, and a filter that fails every other with EPERM.

What a child gives up by its limits alone it could still misuse by signals to other processes of the same user. The
filter (Linux's seccomp) closes that: no signal to others, no process, no program, no socket, no file.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys

# Numbers: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h of the kernel.
NEEDED = {
    "x86_64": {
        "read": 0, "write": 1, "close": 3, "fstat": 5, "lseek": 8, "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12,
        "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "pread64": 17, "sched_yield": 24, "mremap": 25,
        "madvise": 28, "getpid": 39, "exit": 60, "gettid": 186, "futex": 202, "restart_syscall": 219,
        "clock_gettime": 228, "exit_group": 231, "newfstatat": 262, "getrandom": 318,
    },
    "aarch64": {
        "read": 63, "write": 64, "close": 57, "fstat": 80, "lseek": 62, "mmap": 222, "mprotect": 226, "munmap": 215,
        "brk": 214, "rt_sigaction": 134, "rt_sigprocmask": 135, "rt_sigreturn": 139, "pread64": 67, "sched_yield": 124,
        "mremap": 216, "madvise": 233, "getpid": 172, "exit": 93, "gettid": 178, "futex": 98, "restart_syscall": 128,
        "clock_gettime": 113, "exit_group": 94, "newfstatat": 79, "getrandom": 278,
    },
}  # fmt: skip
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # linux/audit.h

# linux/bpf_common.h, linux/seccomp.h, linux/prctl.h
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
NUMBER, ARCH = 0, 4  # offsets in struct seccomp_data
ALLOW, FAIL = 0x7FFF0000, 0x00050000 | errno.EPERM
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2


class _Instruction(ctypes.Structure):
    """struct sock_filter."""

    _fields_ = (("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.POINTER(_Instruction)))


def filter_for(machine: str) -> list[tuple[int, int, int, int]]:
    """The filter as (code, jump if true, jump if false, constant); none for a machine not listed."""
    if machine not in NEEDED:
        return []
    numbers = sorted(NEEDED[machine].values())
    compared = [(JUMP_IF_EQUAL, len(numbers) - place, 0, number) for place, number in enumerate(numbers)]
    return [
        (LOAD_WORD, 0, 0, ARCH),
        (JUMP_IF_EQUAL, 0, len(numbers) + 1, AUDIT_ARCH[machine]),
        (LOAD_WORD, 0, 0, NUMBER),
        *compared,
        (RETURN, 0, 0, FAIL),
        (RETURN, 0, 0, ALLOW),
    ]


def _program() -> _Program | None:
    machine = os.uname().machine if sys.maxsize > 1 << 32 else ""  # a 32-bit program has numbers of its own
    instructions = filter_for(machine)
    packed = (_Instruction * len(instructions))(*(_Instruction(*each) for each in instructions))
    return _Program(len(instructions), packed) if instructions else None


_PROGRAM = _program()  # made before the fork: a child has only to hand it over
_libc = ctypes.CDLL(None, use_errno=True)


def allow_only_what_is_needed() -> bool:
    """For good. Whether this kernel took the filter; PR_SET_NO_NEW_PRIVS comes first."""
    if _PROGRAM is None:
        return False
    rest = [ctypes.c_ulong(0)] * 2
    taken = _libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), ctypes.byref(_PROGRAM), *rest)
    return bool(taken == 0)
