"""What lies in a spool, in figures and line by line, for people. It is read from the folders alone."""

from __future__ import annotations

import os
import stat
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

from edge_sr.service.arrivals import Arrivals
from edge_sr.service.claim_folder import look_into
from edge_sr.service.faults import passing
from edge_sr.service.files import JOB, entries_of, names_in, status_of
from edge_sr.service.outputs import PICTURE
from edge_sr.service.quarantine import quarantined
from edge_sr.service.spool import Spool

LISTED = ("incoming", "work", "outgoing", "done", "quarantine")
Row = dict[str, object]


def counts(spool: Spool) -> dict[str, dict[str, object]]:
    """For each folder what there is in it, and of incoming the age of the oldest in seconds."""
    arrivals = Arrivals(spool.incoming, ends=lambda descriptor: None)
    with passing("incoming"):
        arrivals.scan()
    reasons = Counter(each.code or "(no reason)" for each in quarantined(spool))
    return {
        "incoming": {"waiting": arrivals.waiting, "ignored": arrivals.ignored, "oldest_s": _rounded(arrivals.oldest_s)},
        "work": {"jobs": sum(1 for entry in entries_of(spool.work) if JOB.fullmatch(entry.name))},
        "outgoing": {"pictures": sum(1 for entry in entries_of(spool.outgoing) if _is_picture(entry.name))},
        "done": {"files": sum(1 for _ in entries_of(spool.done))},
        "quarantine": {"jobs": reasons.total(), "reasons": dict(sorted(reasons.items()))},
    }


def rows(spool: Spool, folder: str) -> list[Row]:
    """One a job or file, the oldest first. name: as the file system has it, which may be any bytes."""
    makers = {"work": _in_work, "quarantine": _in_quarantine}
    with passing(folder):
        found = list(makers[folder](spool) if folder in makers else _files(dict(spool.named())[folder]))
    return sorted(found, key=lambda row: (-float(str(row["age_s"])), str(row["name"])))


def _files(folder: int) -> Iterator[Row]:
    for name in names_in(folder):
        status = status_of(name, folder=folder)
        if status is not None:
            yield {"name": name, "age_s": _age_s(status.st_mtime), "bytes": status.st_size, "kind": _kind(status)}


def _in_work(spool: Spool) -> Iterator[Row]:
    for job in filter(JOB.fullmatch, names_in(spool.work)):
        with suppress(OSError):  # it has just ended
            status = os.stat(job, dir_fd=spool.work, follow_symlinks=False)
            inside = look_into(job, folder=spool.work)
            yield {"job": job, "name": inside.name, "age_s": _age_s(status.st_mtime), "attempts": inside.attempts}


def _in_quarantine(spool: Spool) -> Iterator[Row]:
    for each in quarantined(spool):
        record = each.reason or {}
        row = {"job": each.job, "name": each.name, "age_s": _age_s(each.since)}
        yield row | {field: record.get(field) for field in ("reason", "what", "expected", "hint", "input_sha256")}


def _kind(status: os.stat_result) -> str:
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}
    return kinds.get(stat.S_IFMT(status.st_mode), "special")


def _is_picture(name: str) -> bool:
    return name.endswith(PICTURE) and not name.startswith(".")


def _age_s(since: float) -> float:
    return round(max(time.time() - since, 0.0), 3)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
