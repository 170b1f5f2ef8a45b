"""The spool: six folders on one file system, held open, so that no later rename of a path can swap one of them."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from edge_sr import __version__
from edge_sr.artifacts.strict_json import Fields, parse_json
from edge_sr.errors import EnvironmentFault, IntegrityError
from edge_sr.service.faults import passing
from edge_sr.service.files import read_small, remove, write_small

DEFAULT_SPOOL = "/var/spool/edge-sr"
FOLDERS = ("incoming", "work", "outgoing", "done", "quarantine", "state")
PRIVATE = ("work", "state")  # pictures while they are at hand, and names: for the service's user alone
LAYOUT = 1
LAYOUT_FILE, LOCK_FILE = "spool.json", "lock"
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class AnotherInstance(EnvironmentFault):
    """Another process serves this spool. pid: its number, 0 where it cannot be told."""

    def __init__(self, pid: int, where: Path) -> None:
        who = f"process {pid}" if pid else "another process"
        super().__init__(f"{who} serves this spool already", where=where, hint="edge-sr status")
        self.pid = pid


class Spool:
    """The open folders. A context manager; closing it gives up the lock.

    path: as it was given. incoming, work, outgoing, done, quarantine, state: descriptors.
    """

    def __init__(self, path: Path, folders: dict[str, int]) -> None:
        self.path = path
        self.incoming, self.work, self.outgoing, self.done, self.quarantine, self.state = (
            folders[name] for name in FOLDERS
        )
        self._descriptors = list(folders.values())
        self._lock: int | None = None

    @classmethod
    def open(cls, path: Path | str, *, make: bool = False) -> Spool:
        """Open the spool at ``path``. EnvironmentFault where it is none, or is not fit to be served.

        make: for the service: missing folders are made (the parent of ``path`` must exist), all must be writable and
        lie on one file system, and the layout is marked. Without it nothing is written.
        """
        spool = cls(Path(path), _opened(Path(path), make=make))
        try:
            _check_one_file_system(spool)
            _check_layout(spool)
            if make:
                _check_writable(spool)
                _keep_private(spool)
                _mark_layout(spool)
        except BaseException:
            spool.close()
            raise
        return spool

    def named(self) -> Iterator[tuple[str, int]]:
        """(name, descriptor) of each folder."""
        return zip(FOLDERS, self._descriptors, strict=True)

    def lock(self) -> None:
        """Be the one process that serves this spool, until it is closed. AnotherInstance where there is one."""
        descriptor = _open_lock(self.state)
        if not _locked(descriptor):
            pid = _pid_in(descriptor)
            os.close(descriptor)
            raise AnotherInstance(pid, self.path)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        self._lock = descriptor

    def holder(self) -> int | None:
        """pid of the process that serves this spool, 0 where it cannot be told; None for nobody."""
        if self._lock is not None:
            return os.getpid()
        try:
            descriptor = os.open(LOCK_FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.state)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _pid_in(descriptor)
        finally:
            os.close(descriptor)
        return None

    def close(self) -> None:
        """Close the folders and the lock; the lock's file stays, since removing it could part two holders."""
        for descriptor in [*self._descriptors, *([] if self._lock is None else [self._lock])]:
            os.close(descriptor)
        self._descriptors, self._lock = [], None

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _opened(path: Path, *, make: bool) -> dict[str, int]:
    root = _open_root(path, make=make)
    opened: dict[str, int] = {}
    try:
        for name in FOLDERS:
            opened[name] = _open_folder(root, name, path, make=make)
    except BaseException:
        for descriptor in opened.values():
            os.close(descriptor)
        raise
    finally:
        os.close(root)
    return opened


def _open_root(path: Path, *, make: bool) -> int:
    try:
        if make:
            with contextlib.suppress(FileExistsError):
                path.mkdir()
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as fault:
        hint = f"mkdir -p '{path.parent}'" if make else "edge-sr watch makes one; --spool or EDGE_SR_SPOOL name another"
        raise EnvironmentFault(f"the spool cannot be opened ({fault.strerror})", where=path, hint=hint) from fault


def _open_folder(root: int, name: str, path: Path, *, make: bool) -> int:
    try:
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o700 if name in PRIVATE else 0o777, dir_fd=root)  # the umask takes from the latter
        return os.open(name, _FOLDER_FLAGS, dir_fd=root)
    except OSError as fault:
        hint = f"sudo -u OWNER, for the owner that ls -ld '{path / name}' shows" if fault.errno == errno.EACCES else ""
        what = f"cannot be opened as a folder ({fault.strerror})"
        raise EnvironmentFault(what, where=path / name, expected="a folder, no link", hint=hint) from fault


def _check_one_file_system(spool: Spool) -> None:
    """Of one device, and of one mount: rename(2) does not cross bind mounts of the same device either (EXDEV)."""
    homes = {name: (os.fstat(folder).st_dev, _mount_of(folder)) for name, folder in spool.named()}
    for name, home in homes.items():
        if home != homes["incoming"]:
            raise EnvironmentFault(
                f"{name} lies on another file system than incoming",
                where=spool.path,
                expected="all six folders on one, since pictures are moved by rename",
                hint="one mount above the spool instead of mounts inside it",
            )


def _mount_of(folder: int) -> str:
    """The kernel's number of the mount; "" where there is no /proc."""
    try:
        lines = Path(f"/proc/self/fdinfo/{folder}").read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("mnt_id:")), "")


def _check_writable(spool: Spool) -> None:
    for name, folder in spool.named():
        if not os.access(".", os.R_OK | os.W_OK | os.X_OK, dir_fd=folder, effective_ids=True):
            where = spool.path / name
            raise EnvironmentFault("the folder cannot be written", where=where, hint=f"ls -ld '{where}'")


def _keep_private(spool: Spool) -> None:
    """work and state for their owner alone, also where an earlier hand made them wider."""
    for name, folder in spool.named():
        status = os.fstat(folder)
        if name in PRIVATE and stat.S_IMODE(status.st_mode) & 0o077 and status.st_uid == os.geteuid():
            os.fchmod(folder, 0o700)


def _layout(spool: Spool) -> int:
    """0 before there was one. EnvironmentFault where the file is not ours."""
    where = spool.path / "state" / LAYOUT_FILE
    try:
        content = read_small(LAYOUT_FILE, folder=spool.state)
        return Fields(parse_json(content, where), f"{where}: ").integer("layout", 0, 1 << 31)
    except FileNotFoundError:
        return 0
    except (OSError, IntegrityError) as fault:
        what = f"the spool's layout cannot be read ({fault})"
        raise EnvironmentFault(
            what, where=where, hint="remove the file where the spool was made by this release"
        ) from fault


def _check_layout(spool: Spool) -> None:
    layout = _layout(spool)
    if layout > LAYOUT:
        raise EnvironmentFault(
            f"the spool has layout {layout}, made by a later release",
            where=spool.path,
            expected=f"layout {LAYOUT} or an earlier one",
            hint="the later edge-sr, or a new spool folder",
        )


def _mark_layout(spool: Spool) -> None:
    """Written where it changes something: a restart writes nothing."""
    if _layout(spool) == LAYOUT:
        return
    text = json.dumps({"layout": LAYOUT, "version": __version__}) + "\n"
    with passing("state"):
        remove(LAYOUT_FILE, folder=spool.state)  # a kill right here leaves a spool without a mark: the eldest layout
        write_small(LAYOUT_FILE, text.encode(), folder=spool.state)


def _open_lock(state: int) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with passing("state"):
        return os.open(LOCK_FILE, flags, 0o600, dir_fd=state)


def _locked(descriptor: int) -> bool:
    """A few tries, since ``holder`` of a command that asks who is there holds the lock for a moment itself."""
    for pause_s in (0.01, 0.05, 0.2, 0):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(pause_s)
    return False


def _pid_in(lock: int) -> int:
    """0 where it does not say, or not yet."""
    text = os.pread(lock, 32, 0).strip()
    return int(text) if text.isdigit() else 0
