"""A spool to try things on: files dropped, outputs as a model would give them, and what is there at the end."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edge_sr.image.png import encode_png
from edge_sr.pipeline import TEXT_KEY
from edge_sr.service.claims import Claim, claim, copy_claimed, drop
from edge_sr.service.publish import Output, publish
from edge_sr.service.spool import FOLDERS, Spool

MOST_BYTES = 1 << 20
ENGINE = "engine"


def new_spool(path: Path) -> Spool:
    """Open, and without an engine, a loop or a lock."""
    return Spool.open(path / "spool", make=True)


def put(spool: Spool, name: str, content: bytes = b"a picture") -> Path:
    path = spool.path / "incoming" / name
    path.write_bytes(content)
    return path


def output_of(held: Claim, content: bytes, *, engine: str = ENGINE) -> Output:
    """What a model makes of ``content``: always the same bits for the same content and engine."""
    sha256 = hashlib.sha256(content).hexdigest()
    job_key = hashlib.sha256(f"{sha256} {engine}".encode()).hexdigest()
    provenance = {"job_key": job_key, "input_sha256": sha256}
    pixels = np.frombuffer(bytes.fromhex(job_key) * 8, np.uint8).reshape(16, 16)
    picture = encode_png(pixels, text={TEXT_KEY: json.dumps(provenance)})
    sidecar = {**provenance, "job": held.job, "output_sha256": hashlib.sha256(picture).hexdigest()}
    return Output(held, job_key, picture, json.dumps(sidecar).encode())


def work_on(spool: Spool, held: Claim, *, engine: str = ENGINE) -> Output:
    """Everything up to the publishing, from the sealed copy."""
    with copy_claimed(spool, held, most_bytes=MOST_BYTES) as content:
        return output_of(held, os.pread(content.descriptor, MOST_BYTES, 0), engine=engine)


def serve(spool: Spool, *names: str, engine: str = ENGINE) -> None:
    """Claim the names, publish them together, drop the claims: a life of a group of jobs."""
    held = [taken for name in names if (taken := claim(spool, name)) is not None]
    finish(spool, held, engine=engine)


def finish(spool: Spool, held: list[Claim], *, engine: str = ENGINE) -> None:
    publish(spool, [work_on(spool, each, engine=engine) for each in held])
    drop(spool, held)


def listing(spool: Spool) -> dict[str, list[str]]:
    """Every name below the folders but state, hidden ones too."""
    folders = (spool.path / name for name in FOLDERS if name != "state")
    return {folder.name: sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) for folder in folders}


def contents(folder: Path) -> Mapping[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}
