"""The command line with a deliberate fault in the service, to see whether the rig's checks catch it.

    python -m tests.reliability.planted FAULT watch SPOOL ...

Nothing of this can be switched on in edge-sr itself.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

PAUSE_S = 0.02  # between the two halves of a fault, so that a kill or a reader can fall between them


def write_in_place() -> None:
    """Results are written under their visible names."""
    steps: Any = import_module("edge_sr.service.steps")

    def publish(spool: Any, outputs: Sequence[Any]) -> list[Any]:
        return [_written_in_place(spool, output) for output in outputs]

    steps.publish = publish


def _written_in_place(spool: Any, output: Any) -> Any:
    from edge_sr.service.naming import output_stems
    from edge_sr.service.outputs import Published

    stem = next(iter(output_stems(output.claim.name, output.job_key, scale=output.scale)))
    for suffix, content in ((".json", output.sidecar), (".png", output.picture)):
        file = os.open(stem + suffix, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644, dir_fd=spool.outgoing)
        os.write(file, content[: len(content) // 2])
        time.sleep(PAUSE_S)
        os.write(file, content[len(content) // 2 :])
        os.fsync(file)
        os.close(file)
    os.fsync(spool.outgoing)
    return Published(output.claim.job, f"{stem}.png", f"{stem}.json", existed=False)


def claim_dropped_first() -> None:
    steps: Any = import_module("edge_sr.service.steps")
    real_drop, real_publish = steps.drop, steps.publish

    def publish(spool: Any, outputs: Sequence[Any]) -> Any:
        real_drop(spool, [output.claim for output in outputs])
        time.sleep(PAUSE_S)
        return real_publish(spool, outputs)

    steps.publish = publish
    steps.drop = lambda spool, claims: [claim.name for claim in claims]


def no_recovery() -> None:
    from edge_sr.service.recovery import Recovery

    serve: Any = import_module("edge_sr.service.serve")
    serve.recover = lambda spool: Recovery()


def no_fsync_of_files() -> None:
    _skip_fsync(stat.S_ISREG)


def no_fsync_of_folders() -> None:
    _skip_fsync(stat.S_ISDIR)


def _skip_fsync(skipped: Callable[[int], bool]) -> None:
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if not skipped(os.fstat(descriptor).st_mode):
            real(descriptor)

    os.fsync = fsync  # type: ignore[assignment]


def hung_worker() -> None:
    """The second picture that is computed is never done. Not a fault that a check must catch: a state to be shown."""
    from edge_sr.service.steps import Steps

    real, calls = Steps.compute, []

    def compute(self: Any, jobs: Sequence[Any]) -> Any:
        calls.append(len(jobs))
        while len(calls) > 1:
            time.sleep(3600)
        return real(self, jobs)

    Steps.compute = compute  # type: ignore[method-assign]


def deadly_picture() -> None:
    """The process dies of pictures whose names begin with "deadly", as of a fault in a driver."""
    from edge_sr.service.steps import Steps

    real = Steps.compute

    def compute(self: Any, jobs: Sequence[Any]) -> Any:
        if any(job.claim.name.startswith("deadly") for job in jobs):
            time.sleep(PAUSE_S)  # meanwhile the next one is decoded
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, jobs)

    Steps.compute = compute  # type: ignore[method-assign]


def wrong_pictures() -> None:
    """The model answers with the negative of what it should: a self-test must see that."""
    from edge_sr.cli.watch_work import ModelWork

    real = ModelWork.__call__

    def call(self: Any, radiographs: Sequence[Any], phases: Any) -> Any:
        return [replace(result, pixels=~result.pixels) for result in real(self, radiographs, phases)]

    ModelWork.__call__ = call  # type: ignore[method-assign]


FAULTS: dict[str, Callable[[], None]] = {
    "write-in-place": write_in_place,
    "claim-dropped-first": claim_dropped_first,
    "no-recovery": no_recovery,
    "no-fsync-of-files": no_fsync_of_files,
    "no-fsync-of-folders": no_fsync_of_folders,
}
# What a check must say of it: that something went wrong in another way would prove nothing.
SAID = {
    "write-in-place": "visible name",
    "claim-dropped-first": "before the result was published",
    "no-recovery": "lost",
    "no-fsync-of-files": "without an fsync",
    "no-fsync-of-folders": "before outgoing was fsynced",
}
STATES = {"hung-worker": hung_worker, "wrong-pictures": wrong_pictures, "deadly-picture": deadly_picture}


def launcher(fault: str) -> list[str]:
    """What stands before "watch" to run the service with the fault."""
    return [sys.executable, "-m", "tests.reliability.planted", fault]


def main() -> None:
    from edge_sr.cli import group

    {**FAULTS, **STATES}[sys.argv.pop(1)]()
    group()


if __name__ == "__main__":
    main()
