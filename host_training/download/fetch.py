"""One file over HTTP into ``NAME.part``: resumed where the server allows it, begun again where it does not."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3
from tqdm import tqdm

from edge_sr import __version__
from edge_sr.errors import EdgeSRError, EnvironmentFault, InputError
from host_training.download.listing import Entry
from host_training.download.part import Origin, Part
from host_training.download.progress import byte_bar, say, size_text
from host_training.download.space import need_space

CHUNK_BYTES = 1 << 16
LONGEST_PAUSE_S = 300.0  # whatever a server asks for in Retry-After
LONGEST_BACK_OFF_S = 60.0
# Answers below 500 that another attempt may change. 202: Box is still getting the file ready.
PASSING_STATUS = {202, 408, 425, 429}


@dataclass(frozen=True)
class Patience:
    """How long a fetch goes on trying. The count begins anew with every attempt that brings new bytes."""

    retries: int = 8
    wait_s: float = 2.0  # before the first retry; doubled each time
    timeout_s: float = 60.0  # without a byte

    def pause_s(self, failures: int, asked_s: float) -> float:
        """Seconds to wait after so many failures in a row, when the server asked for ``asked_s``."""
        back_off = min(LONGEST_BACK_OFF_S, self.wait_s * 2 ** min(failures - 1, 16))
        return min(LONGEST_PAUSE_S, max(back_off, asked_s))


class _PassingTrouble(Exception):
    """Another attempt may do better."""

    def __init__(self, reason: str, *, asked_s: float = 0.0, no_network: bool = False) -> None:
        super().__init__(reason)
        self.asked_s, self.no_network = asked_s, no_network


def fetch(entry: Entry, target: Path, *, patience: Patience) -> None:
    """Bring ``entry`` to ``target``, of the listed size; its checksum is the caller's business.

    An interrupted fetch leaves ``target.part`` and goes on from there the next time. The addresses of the entry are
    asked in turn.

    Raises InputError where no address has the file or the retries are used up, EnvironmentFault where the disk is full
    or there is no connection at all.
    """
    part = Part(target, entry)
    refusals = []
    for url in entry.urls:
        try:
            with requests.Session() as session:
                _persist(session, url, part, patience)
            part.publish()
            return
        except InputError as refusal:
            refusals.append(refusal)
    raise refusals[0] if len(refusals) == 1 else _nowhere(entry, refusals)


def _nowhere(entry: Entry, refusals: list[InputError]) -> InputError:
    reasons = "; ".join(f"{refusal.where}: {refusal.what}" for refusal in refusals)
    last = refusals[-1]
    return InputError(f"no address has it: {reasons}", where=entry.name, expected=last.expected, hint=last.hint)


def _persist(session: requests.Session, url: str, part: Part, patience: Patience) -> None:
    """Ask until the part is complete. Raises InputError for a refusal, and when the patience is at its end."""
    furthest, failures = part.size, 0
    with byte_bar(part.entry.name, part.entry.size) as bar:
        while True:
            try:
                _request(session, url, part, patience.timeout_s, bar)
                return
            except _PassingTrouble as trouble:
                # Counted by the furthest byte: a server that cannot resume and always cuts at the same place ends too.
                failures = 1 if part.size > furthest else failures + 1
                furthest = max(furthest, part.size)
                if failures > patience.retries:
                    raise _worn_out(url, part, trouble, failures) from trouble
                pause_s = patience.pause_s(failures, trouble.asked_s)
                say(f"{part.entry.name}: {trouble} at {size_text(part.size)}; again in {pause_s:.0f} s")
                time.sleep(pause_s)


def _worn_out(url: str, part: Part, trouble: _PassingTrouble, failures: int) -> EdgeSRError:
    kind = EnvironmentFault if trouble.no_network else InputError
    later = f"the same command again, later: it goes on from {size_text(part.size)}"
    return kind(f"{trouble}, {failures} times in a row", where=url, hint=later)


def _request(session: requests.Session, url: str, part: Part, timeout_s: float, bar: tqdm[None]) -> None:
    """One request; returns when the part is complete. Raises _PassingTrouble or InputError."""
    have, validator = part.resumable(url)
    if have and have == part.expected_size:
        return  # interrupted between the last byte and the rename
    # identity: a transfer coding would be counted in other bytes than the ranges.
    headers = {"Accept-Encoding": "identity", "User-Agent": f"edge-sr/{__version__}"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if validator:
            headers["If-Range"] = validator
    with _network_faults(url, timeout_s):
        response = session.get(url, headers=headers, stream=True, timeout=(min(timeout_s, 15.0), timeout_s))
    with response:
        offset, origin = _agreed(response, url, have, part)
        need_space(part.path.parent, (origin.total or 0) - offset, what=part.entry.name)
        bar.n, bar.total = offset, origin.total or part.entry.size
        bar.refresh()
        _receive(response, part, origin, offset, bar, timeout_s)
    if part.size < (part.expected_size or 0):
        raise _PassingTrouble("the connection was cut")


def _agreed(response: requests.Response, url: str, have: int, part: Part) -> tuple[int, Origin]:
    """(the offset of the answer's first byte, what it is a part of), once the answer is known to be the right file."""
    if response.status_code in PASSING_STATUS or response.status_code >= 500:
        raise _PassingTrouble(f"the server answers {_status(response)}", asked_s=_retry_after_s(response))
    if response.status_code == requests.codes.requested_range_not_satisfiable and have:
        part.discard()
        raise _PassingTrouble("the server has no more bytes, so its file has changed: beginning again")
    if response.status_code not in (200, 206):
        raise InputError(f"the server answers {_status(response)}", where=url, expected="200 OK")
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise InputError("a web page came in place of the file", where=url)
    offset, total = _range(response, have, part)
    if part.entry.size is not None and total is not None and total != part.entry.size:
        raise InputError(f"the server's file has {total} bytes", where=url, expected=f"{part.entry.size}, as listed")
    origin = Origin(url, total, response.headers.get("ETag", ""), response.headers.get("Last-Modified", ""))
    if offset and not _same(part.origin(), origin):
        part.discard()
        raise _PassingTrouble("the file on the server has changed: beginning again")
    if have and not offset:
        say(f"{part.entry.name}: the server begins again, {size_text(have)} are lost")
    return offset, origin


def _range(response: requests.Response, have: int, part: Part) -> tuple[int, int | None]:
    """(offset, total size or None) of a good answer. A 200 is the whole file, whatever was asked for."""
    if response.status_code == 200:
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdecimal() else None
    # RFC 9110, 14.4
    given = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if not given or int(given[1]) != have or not have:
        part.discard()
        raise _PassingTrouble("the server sent another range than was asked for: beginning again")
    return have, None if given[2] == "*" else int(given[2])


def _same(before: Origin | None, now: Origin) -> bool:
    """Whether two answers are of one file, as far as they tell. Addresses may tag the same file differently."""
    if before is None or (before.total is not None and now.total is not None and before.total != now.total):
        return False
    return before.url != now.url or not before.etag or not now.etag or before.etag == now.etag


def _receive(
    response: requests.Response, part: Part, origin: Origin, offset: int, bar: tqdm[None], timeout_s: float
) -> None:
    """The answer's body into the part; at most the announced bytes."""
    room = part.entry.size if part.entry.size is not None else origin.total
    with _disk_faults(part.path), part.begin(origin, offset) as file, _network_faults(origin.url, timeout_s):
        for chunk in response.raw.stream(CHUNK_BYTES, decode_content=False):
            offset += len(chunk)
            if room is not None and offset > room:
                part.discard()
                raise InputError("the server sends more than the file has", where=origin.url, expected=f"{room} bytes")
            file.write(chunk)
            bar.update(len(chunk))


def _status(response: requests.Response) -> str:
    return f"{response.status_code} {response.reason or ''}".strip()


def _retry_after_s(response: requests.Response) -> float:
    """Seconds that the server asks for; its other form, a date, counts as none."""
    asked = response.headers.get("Retry-After", "")
    return float(asked) if asked.isdecimal() else 0.0


@contextlib.contextmanager
def _disk_faults(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise EnvironmentFault(
            f"cannot be written ({fault.strerror})",
            where=path,
            hint=f"df -h {path.parent}; then the same command again",
        ) from fault


@contextlib.contextmanager
def _network_faults(url: str, timeout_s: float) -> Iterator[None]:
    host = urlsplit(url).netloc
    try:
        yield
    except requests.exceptions.SSLError as fault:
        raise InputError(f"no secure connection ({fault})", where=url) from fault
    except (requests.exceptions.InvalidURL, requests.exceptions.TooManyRedirects) as fault:
        raise InputError(str(fault), where=url) from fault
    except (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError) as fault:
        raise _PassingTrouble(f"nothing came from {host} for {timeout_s:g} s") from fault
    except requests.exceptions.ConnectionError as fault:
        raise _PassingTrouble(f"no connection to {host}", no_network=True) from fault
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as fault:
        raise _PassingTrouble("the connection was cut") from fault
