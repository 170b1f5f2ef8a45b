"""Taking a file out of incoming for good, its bytes once, and at the end into done.

A claim is a folder work/<job>/ that holds the file under its own name. Only the service's user gets into work, so what
lies in a claim is swapped by nobody; what an unfriendly hand can still do is write through a descriptor it holds,
which is why the bytes are copied once, sealed, and never read again.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import TracebackType
from uuid import uuid4

from edge_sr.errors import EnvironmentFault
from edge_sr.image.atomic import FORBIDDEN
from edge_sr.service.faults import (
    LINK,
    SPECIAL_FILE,
    TOO_OFTEN,
    CannotClaim,
    StillWritten,
    Unfit,
    passing,
    passing_fault,
)
from edge_sr.service.files import open_regular, remove, same_file, status_of, write_all, write_new
from edge_sr.service.naming import beside
from edge_sr.service.rename import fsync_folder, rename_noreplace
from edge_sr.service.spool import Spool

MOST_ATTEMPTS = 8
ATTEMPTS = ".attempts"
_BLOCK = 1 << 20
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE

Ends = Callable[[int], bool | None]  # see edge_sr.image.ending


@dataclass(frozen=True)
class Claim:
    """One job at hand.

    job: 32 hexadecimal digits. name: the file's own. recovered: found claimed at the start of the service.
    attempts: how often the service died with the job at hand, as far as it knows.
    """

    job: str
    name: str
    recovered: bool = False
    attempts: int = 0

    @property
    def path(self) -> str:
        """Of the file, relative to work. ``job`` is a folder of ours that no one else can enter."""
        return f"{self.job}/{self.name}"

    @property
    def stem(self) -> str:
        return PurePosixPath(self.name).stem


@dataclass(frozen=True)
class Content:
    """The bytes of a job, which nobody can change any more. A context manager that closes them.

    descriptor: of a sealed memory file. sha256: hexadecimal. size: bytes.
    """

    descriptor: int
    sha256: str
    size: int

    def __enter__(self) -> Content:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self.descriptor)


def claim(spool: Spool, name: str) -> Claim | None:
    """Take ``name`` out of incoming; None where it is gone, or was moved by somebody in this moment.

    It is not waited for the disk: after a power cut the file is in incoming or in work. CannotClaim where this one name
    cannot be moved; DiskFull, EnvironmentFault.
    """
    taken = Claim(uuid4().hex, name)
    with passing("work"):
        os.mkdir(taken.job, dir_fd=spool.work)
    try:
        rename_noreplace(name, taken.path, source_folder=spool.incoming, target_folder=spool.work)
    except BaseException as fault:
        with contextlib.suppress(OSError):
            os.rmdir(taken.job, dir_fd=spool.work)
        if isinstance(fault, FileNotFoundError):
            return None
        if isinstance(fault, OSError):
            raise _unclaimable(fault) from fault
        raise
    return taken


def _unclaimable(fault: OSError) -> EnvironmentFault:
    if fault.errno in FORBIDDEN | {errno.EBUSY, errno.ETXTBSY, errno.EXDEV}:  # EBUSY, EXDEV: something is mounted there
        return CannotClaim(f"one file cannot be moved ({fault.strerror})", where="incoming", hint="ls -l of incoming")
    return passing_fault(fault, "incoming")


def begin_attempt(spool: Spool, claim: Claim) -> None:
    """Count the attempt, so that a job that kills the service does so a few times only. Before decoding.

    A job that was not at hand when the service died costs no call. Unfit at the eighth death.
    """
    if not claim.recovered:
        return
    if claim.attempts >= MOST_ATTEMPTS:
        what = f"the service died {claim.attempts} times while it had this job"
        raise Unfit(what, reason=TOO_OFTEN, hint="journalctl -u edge-sr, then edge-sr requeue")
    with passing("work"):
        job = os.open(claim.job, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=spool.work)
        try:
            write_new(ATTEMPTS, b"%d\n" % claim.attempts, folder=job, mode=0o600)
            fsync_folder(job)
        finally:
            os.close(job)


def copy_claimed(spool: Spool, claim: Claim, *, most_bytes: int, ends: Ends | None = None) -> Content:
    """Read the file once, into memory that is sealed afterwards.

    Unfit for a link, a special file, an empty, an oversized and an unreadable one. StillWritten where it changes
    meanwhile, where it has several names, as while a publisher links and unlinks, or where ``ends`` says of the copy
    that it does not end. EnvironmentFault.
    """
    _check_kind(status_of(claim.path, folder=spool.work))
    descriptor = _open_claimed(spool, claim)
    try:
        before = os.fstat(descriptor)
        _check_size(before.st_size, most_bytes)
        content = _sealed(descriptor, before.st_size)
        if _signature(os.fstat(descriptor)) != _signature(before) or content.size != before.st_size:
            os.close(content.descriptor)
            raise StillWritten("the file is being written", where="work")
    finally:
        os.close(descriptor)
    if ends is not None and ends(content.descriptor) is False:
        os.close(content.descriptor)
        raise StillWritten("the file does not end yet", where="work")
    os.lseek(content.descriptor, 0, os.SEEK_SET)
    return content


def _check_kind(status: os.stat_result | None) -> None:
    """Before anything is opened: a device may act on that alone."""
    if status is None:
        raise Unfit("the file is gone")
    if stat.S_ISLNK(status.st_mode):
        raise Unfit("is a symbolic link", reason=LINK, expected="the file itself")
    if not stat.S_ISREG(status.st_mode):
        raise Unfit("is a folder, pipe, socket or device", reason=SPECIAL_FILE, expected="a regular file")
    if status.st_nlink > 1:
        raise StillWritten("the file has several names (hard links)", where="work", expected="one")


def _open_claimed(spool: Spool, claim: Claim) -> int:
    try:
        return open_regular(claim.path, folder=spool.work)
    except OSError as fault:
        if fault.errno in FORBIDDEN:
            raise Unfit("the service may not read it", expected="a file that its user may read") from fault
        raise passing_fault(fault, "work") from fault


def _check_size(size: int, most_bytes: int) -> None:
    if size == 0:
        raise Unfit("the file is empty")
    if size > most_bytes:
        raise Unfit(f"{size} bytes is too large", expected=f"at most {most_bytes} bytes")


def _sealed(source: int, most: int) -> Content:
    """At most one byte more than ``most`` is copied: a file that grows meanwhile does not fill the memory."""
    with passing("work"):
        target = os.memfd_create("job", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            digest, left = hashlib.sha256(), most + 1
            while left > 0 and (block := os.read(source, min(_BLOCK, left))):
                digest.update(block)
                write_all(target, block)
                left -= len(block)
            fcntl.fcntl(target, fcntl.F_ADD_SEALS, _SEALS)
        except BaseException:
            os.close(target)
            raise
    return Content(target, digest.hexdigest(), most + 1 - left)


def _signature(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def give_back(spool: Spool, claim: Claim) -> bool:
    """Into incoming again, under its name; False where that is taken: then it stays claimed."""
    with passing("work"):
        try:
            rename_noreplace(claim.path, claim.name, source_folder=spool.work, target_folder=spool.incoming)
        except FileExistsError:
            return False
        remove_claim(spool, claim.job)
    return True


def drop(spool: Spool, claims: Sequence[Claim]) -> list[str]:
    """The last step, after the outputs are on the disk: each file into done. Returns their names there, in order.

    EnvironmentFault; the first ones may be there then, and calling it again with all of them is right.
    """
    with passing("done"):
        names = [_drop(spool, claim) for claim in claims]
        fsync_folder(spool.done)
    return names


def _drop(spool: Spool, claim: Claim) -> str:
    """A name that is taken in done gets the job's first digits, and then all of them."""
    mine = status_of(claim.path, folder=spool.work)
    if mine is None:  # an earlier call has come so far
        with contextlib.suppress(FileNotFoundError):
            remove_claim(spool, claim.job)
        return claim.name
    for name in (claim.name, beside(claim.name, claim.job[:8]), beside(claim.name, claim.job)):
        if same_file(mine, status_of(name, folder=spool.done)):
            os.unlink(claim.path, dir_fd=spool.work)  # a rename by link and unlink that was cut in two
        else:
            try:
                rename_noreplace(claim.path, name, source_folder=spool.work, target_folder=spool.done)
            except FileExistsError:
                continue
        remove_claim(spool, claim.job)
        return name
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def remove_claim(spool: Spool, job: str) -> None:
    """The folder of a claim whose file has gone, and what the service itself had put there."""
    remove(f"{job}/{ATTEMPTS}", folder=spool.work)
    os.rmdir(job, dir_fd=spool.work)
