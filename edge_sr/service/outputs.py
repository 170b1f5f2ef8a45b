"""What stands in outgoing: whose result a name holds, by what the files themselves say."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from edge_sr.artifacts.strict_json import parse_json
from edge_sr.errors import EdgeSRError
from edge_sr.image.png import MAX_FILE_BYTES, SIGNATURE, chunks
from edge_sr.pipeline import TEXT_KEY
from edge_sr.service.claims import Claim
from edge_sr.service.files import read_small
from edge_sr.service.naming import stem_of_output

PICTURE, SIDECAR = ".png", ".json"


@dataclass(frozen=True)
class Published:
    """Names in outgoing. existed: it was there already, of this job before a kill or of an earlier job of the key."""

    job: str
    picture: str
    sidecar: str
    existed: bool


@dataclass(frozen=True)
class Sidecar:
    """What names an output's owner; "" where it does not say."""

    job: str
    job_key: str
    output_sha256: str
    input_sha256: str


def read_sidecar(outgoing: int, name: str) -> Sidecar | None:
    """None where there is no regular file of that name, or it holds no JSON object."""
    try:
        raw = parse_json(read_small(name, folder=outgoing), name)
    except (OSError, EdgeSRError):
        return None
    if not isinstance(raw, dict):
        return None
    return Sidecar(*(_text(raw, field) for field in ("job", "job_key", "output_sha256", "input_sha256")))


@dataclass(frozen=True)
class Picture:
    """sha256 of the file; of its provenance what names it, "" where it does not say."""

    sha256: str
    job_key: str
    input_sha256: str


def read_picture(outgoing: int, name: str) -> Picture | None:
    """None where there is no regular file of that name, or it is no whole PNG with every chunk as its CRC says."""
    try:
        content = read_small(name, folder=outgoing, most_bytes=MAX_FILE_BYTES)
        if not content.startswith(SIGNATURE):
            return None
        mark = TEXT_KEY.encode() + b"\0"
        texts = [body[len(mark) :] for kind, body in chunks(content, "") if kind == b"tEXt" and body.startswith(mark)]
    except (OSError, EdgeSRError):
        return None
    said = _json_object(texts[0]) if texts else {}
    return Picture(hashlib.sha256(content).hexdigest(), _text(said, "job_key"), _text(said, "input_sha256"))


def _json_object(text: bytes) -> dict[str, object]:
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return raw if isinstance(raw, dict) else {}


def _text(raw: dict[str, object], field: str) -> str:
    value = raw.get(field)
    return value if isinstance(value, str) else ""


def is_whole_pair(outgoing: int, stem: str, job_key: str) -> bool:
    """Whether picture and sidecar are there, whole, and both of that key."""
    sidecar = read_sidecar(outgoing, stem + SIDECAR)
    if sidecar is None or sidecar.job_key != job_key:
        return False
    picture = read_picture(outgoing, stem + PICTURE)
    return picture is not None and picture.job_key == job_key


def published_of(outgoing: int, names: Iterable[str], claims: Sequence[Claim]) -> Iterator[tuple[Claim, Published]]:
    """The claims whose results are among ``names``, all those of outgoing: by the job in the sidecar, whatever its key.

    A kill between the last rename and the drop of the claim leaves that, and by the next start the engine, and with it
    the key, may be another.
    """
    by_stem: dict[str, list[Claim]] = {}
    for claim in claims:
        by_stem.setdefault(claim.stem, []).append(claim)
    longest = [claim for claim in claims if len(claim.name) > 40]  # these alone may have been cut
    for name in names:
        if not name.endswith(SIDECAR) or name.startswith("."):
            continue
        stem, cut = stem_of_output(name.removesuffix(SIDECAR))
        candidates = [each for each in longest if each.name.startswith(stem)] if cut else by_stem.get(stem, [])
        yield from _of_job(outgoing, name.removesuffix(SIDECAR), candidates)


def _of_job(outgoing: int, stem: str, claims: list[Claim]) -> Iterator[tuple[Claim, Published]]:
    sidecar = read_sidecar(outgoing, stem + SIDECAR) if claims else None
    for claim in claims:
        if sidecar is not None and sidecar.job == claim.job and is_whole_pair(outgoing, stem, sidecar.job_key):
            yield claim, Published(claim.job, stem + PICTURE, stem + SIDECAR, existed=True)
