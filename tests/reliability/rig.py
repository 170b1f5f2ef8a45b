"""Where the rows run: a folder on a tmpfs, the small model, services over spools, and what an undisturbed run makes."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from uuid import uuid4

from tests import tiny_bundle
from tests.reliability.finding import NotHere
from tests.reliability.ledger import Ledger
from tests.reliability.pictures import several, sha256
from tests.reliability.service import Service

MEMORY_FOLDER = Path("/dev/shm")
ENOUGH_BYTES = 1 << 30
CONTENTS = 60  # pictures of all kinds; rows of many files use them again and again


class Rig:
    """A context manager. folder: removed at the end. file_system: where it lies, "tmpfs" or "disk"."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._reference: dict[str, str] = {}

    def __enter__(self) -> Rig:
        home, self.file_system = _home()
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="edge-sr-rig-", dir=home)))
        tiny_bundle.write_networks(self.folder / "staging")
        self.bundle = tiny_bundle.publish(self.folder / "staging", self.folder / "tiny").folder
        self.contents = several(CONTENTS)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def words(self, *more: object) -> list[str]:
        """Options of watch: the small model in float32, one thread."""
        words = ("--model", self.bundle, "--precision", "fp32", "--backend", "onnxruntime", "--threads", 1)
        return [str(word) for word in (*words, *more)]

    def service(
        self,
        spool: Path,
        *more: object,
        launcher: Sequence[str] = (),
        wrapper: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> Service:
        """Not started yet. It sees no engines of this machine, and no options of whoever runs the rig."""
        clean = {"EDGE_SR_CACHE": str(self.folder / "no-engines"), "OMP_NUM_THREADS": "1", **(env or {})}
        return Service(spool, words=self.words(*more), launcher=launcher, wrapper=wrapper, env=clean)

    @contextmanager
    def spool(self, at: Path | None = None) -> Iterator[Ledger]:
        """A new spool with its folders made, and the ledger over it."""
        path = (at or self.folder) / f"spool-{uuid4().hex[:8]}"
        for name in ("incoming", "work", "outgoing", "done", "quarantine", "state"):
            (path / name).mkdir(parents=True)
        ledger = Ledger(path)
        try:
            yield ledger
        finally:
            ledger.remove()

    def reference(self, contents: Sequence[tuple[str, bytes]] | None = None) -> Mapping[str, str]:
        """sha256 of an input's bytes -> sha256 of the result, of a run that nobody disturbs."""
        wanted = self.contents if contents is None else contents
        missing = {sha256(content): (suffix, content) for suffix, content in wanted}
        missing = {digest: each for digest, each in missing.items() if digest not in self._reference}
        if missing:
            with self.spool() as ledger:
                for digest, (suffix, content) in missing.items():
                    ledger.give(f"{digest}{suffix}", content)
                self._run_once(ledger.spool)
                for digest in missing:
                    made = ledger.spool / "outgoing" / f"{digest}_x4.png"
                    self._reference[digest] = sha256(made.read_bytes())
        return self._reference

    def _run_once(self, spool: Path) -> None:
        with self.service(spool, "--once") as service:
            service.start(wait=False)
            code = service.process.wait(120)
            assert code == 0, f"the undisturbed run ended with {code}: {service.log_end()}"


def _home() -> tuple[Path, str]:
    if MEMORY_FOLDER.is_dir() and os.access(MEMORY_FOLDER, os.W_OK):
        free = os.statvfs(MEMORY_FOLDER)
        if free.f_bavail * free.f_frsize >= ENOUGH_BYTES:
            return MEMORY_FOLDER, "tmpfs"
    return Path(tempfile.gettempdir()), "disk"


def need(program: str) -> None:
    if shutil.which(program) is None:
        raise NotHere(f"{program} is not installed")


@contextmanager
def small_file_system(folder: Path, *, mib: int) -> Iterator[Path]:
    """A tmpfs of that size, mounted at ``folder``; NotHere without the right to mount."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "edge-sr-rig", str(folder)]
    done = subprocess.run(command, capture_output=True)
    if done.returncode != 0:
        folder.rmdir()
        raise NotHere(f"no file system can be mounted: {done.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()
