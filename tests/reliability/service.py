"""The service as a process of its own, through the console script: started, asked, killed, and its memory read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from tests.reliability.systemd_socket import SystemdSocket

ROOT = Path(__file__).resolve().parents[2]
CONSOLE_SCRIPT = Path(sys.executable).parent / "edge-sr"
START_S = 60.0  # far beyond what a start takes on a busy machine
TICKS = os.sysconf("SC_CLK_TCK")


class ServiceFault(AssertionError):
    """The service did not do what every row needs of it; holds the end of its log."""


class Service:
    """One process of ``edge-sr watch`` over a spool. A context manager that leaves no process behind.

    words: options of watch. launcher: what stands in front of "watch" in place of the console script. wrapper: what
    stands in front of that, as strace. log: where its stderr goes; a second start appends to it.
    """

    def __init__(
        self,
        spool: Path,
        *,
        words: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        launcher: Sequence[str] = (),
        wrapper: Sequence[str] = (),
        log: Path | None = None,
    ) -> None:
        self.spool, self.log = spool, log or spool.with_name(f"{spool.name}.log")
        self.command = [*wrapper, *(launcher or [str(CONSOLE_SCRIPT)]), "watch", str(spool), *words]
        self.systemd = SystemdSocket()
        of_launcher = {"PYTHONPATH": str(ROOT)} if launcher else {}  # the console script takes what is installed
        self._env = {**os.environ, **of_launcher, "NOTIFY_SOCKET": self.systemd.address, **(env or {})}
        self._wrapped = bool(wrapper)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Service:
        self.systemd.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.running:
            self.kill(whole_group=True)
        self.systemd.__exit__(kind, error, at)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "not started"
        return self._process

    @property
    def pid(self) -> int:
        """Of the service itself, also under strace."""
        if not self._wrapped:
            return self.process.pid
        return next(iter(children_of(self.process.pid)), self.process.pid)

    def start(self, *, wait: bool = True, timeout_s: float = START_S) -> float:
        """Seconds from here to READY=1 (0 where it is not waited for)."""
        self.systemd.clear()
        start_s = time.monotonic()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, env=self._env, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )
        return self.wait_ready(timeout_s) - start_s if wait else 0.0

    def wait_ready(self, timeout_s: float = START_S) -> float:
        end_s = time.monotonic() + timeout_s
        while time.monotonic() < end_s:
            at = self.systemd.wait_for("READY", 0.1)
            if at is not None:
                return at
            if not self.running:
                raise ServiceFault(f"the service ended with {self.process.returncode} before READY: {self.log_end()}")
        raise ServiceFault(f"no READY within {timeout_s:g} s: {self.log_end()}")

    def kill(self, *, whole_group: bool) -> None:
        """SIGKILL, to the process alone or to all of its group; waits for its end."""
        if whole_group:
            os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.kill()
        self.process.wait()

    def terminate(self, timeout_s: float = 30.0) -> int:
        """SIGTERM to the service; its exit status. ServiceFault where it takes longer."""
        os.kill(self.pid, signal.SIGTERM)
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill(whole_group=True)
            raise ServiceFault(f"not ended {timeout_s:g} s after SIGTERM: {self.log_end()}") from None

    def processes(self) -> list[int]:
        """The service and all below it."""
        found = [self.pid]
        for pid in found:
            found += children_of(pid)
        return found

    def lasting(self) -> list[int]:
        """The service and the process that forks a child for each picture."""
        return [self.pid, *children_of(self.pid)]

    def status(self) -> dict[str, object]:
        """What ``edge-sr status --json`` says."""
        done = subprocess.run(
            [str(CONSOLE_SCRIPT), "status", str(self.spool), "--json"], capture_output=True, env=self._env, timeout=30
        )
        if not done.stdout:
            raise ServiceFault(f"edge-sr status said nothing: {done.stderr.decode()[-500:]}")
        return dict(json.loads(done.stdout))

    def events(self) -> list[dict[str, object]]:
        """The lines of the log that are JSON; see ``strange_lines`` for the others."""
        return [json.loads(line) for line in self.log.read_bytes().splitlines() if line.startswith(b"{")]

    def strange_lines(self) -> list[bytes]:
        return [line for line in self.log.read_bytes().splitlines() if not line.startswith(b"{")]

    def log_end(self) -> str:
        return self.log.read_bytes()[-1500:].decode(errors="replace") if self.log.exists() else ""


def children_of(pid: int) -> list[int]:
    """Of all its threads; [] where it is gone."""
    found: list[int] = []
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
            with suppress(OSError):
                found += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    return found


def is_alive(pid: int) -> bool:
    """A process that has ended and that nobody has asked for yet is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def pss_bytes(pids: Sequence[int]) -> int:
    """Proportional set size of all of them together; who is gone counts nothing."""
    return sum(_of_smaps(pid, "Pss:") for pid in pids)


def anonymous_bytes(pids: Sequence[int]) -> int:
    """What these processes have written, pages shared by a fork counted in each of them: where a leak shows.

    Unlike ``pss_bytes`` it does not move when another process that shares pages with them begins or ends.
    """
    return sum(_of_smaps(pid, "Anonymous:") for pid in pids)


def _of_smaps(pid: int, key: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith(key)), 0)


def resident_bytes(pid: int, key: str = "VmRSS:") -> int:
    """VmRSS: now; VmHWM: the most there ever was."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(key))


def processor_s(pids: Sequence[int]) -> float:
    """User and system time of all of them, their ended children included."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(fields[each]) for each in range(11, 15))
    return total / TICKS


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208


def wait_until(true: Callable[[], bool], timeout_s: float, *, every_s: float = 0.02) -> bool:
    end_s = time.monotonic() + timeout_s
    while not (yes := true()) and time.monotonic() < end_s:
        time.sleep(every_s)
    return yes
