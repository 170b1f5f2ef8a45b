"""From bytes in memory to a picture and its sidecar in outgoing, so that a power cut at any moment loses neither.

The order of the calls is the promise: both files under hidden names and on the disk; the sidecar renamed, then the
picture, so that who sees the picture finds its sidecar; the folder on the disk; and only then may the claim be dropped.
Several outputs share the call for the folder. A second try after a fault or a kill at any place ends in the same state.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from edge_sr.image.png import MAX_FILE_BYTES
from edge_sr.service.claims import Claim
from edge_sr.service.faults import passing
from edge_sr.service.files import read_small, remove, status_of, write_new
from edge_sr.service.naming import output_stems
from edge_sr.service.outputs import PICTURE, SIDECAR, is_whole_pair, read_sidecar
from edge_sr.service.outputs import Published as Published
from edge_sr.service.rename import fsync_folder, rename_noreplace
from edge_sr.service.spool import Spool


@dataclass(frozen=True)
class Output:
    """What is to be published of one job.

    picture: the PNG, with job_key in its provenance. sidecar: a JSON object with "job" and "job_key", and
    "output_sha256" for ``edge-sr spool verify``.
    """

    claim: Claim
    job_key: str
    picture: bytes
    sidecar: bytes
    scale: int = 4

    @property
    def parts(self) -> tuple[str, str]:
        """The hidden names of sidecar and picture."""
        return part_name(self.claim.job, SIDECAR), part_name(self.claim.job, PICTURE)


def part_name(job: str, suffix: str) -> str:
    return f".{job}{suffix}.part"


class _Standing(Enum):
    """What there is under the two names of a stem."""

    FREE = "nothing"
    WHOLE = "our result"
    NO_SIDECAR = "our picture without its sidecar"
    NO_PICTURE = "our sidecar without its picture"
    TAKEN = "something else"


def publish(spool: Spool, outputs: Sequence[Output]) -> list[Published]:
    """Publish each output, in order; on the disk when it returns, and the claims still held.

    DiskFull, EnvironmentFault: the outputs before the one at fault may be complete, of the others nothing is visible.
    Calling it again with the same outputs is right.
    """
    with passing("outgoing"):
        try:
            lacking = [output for output in outputs if not _is_there(spool.outgoing, output)]
            for output in lacking:
                for name, content in zip(output.parts, (output.sidecar, output.picture), strict=True):
                    write_new(name, content, folder=spool.outgoing)
            published = [_show(spool.outgoing, output) for output in outputs]
        except BaseException:
            for output in outputs:
                _remove_parts(spool.outgoing, output)
            raise
    settle(spool)
    return published


def settle(spool: Spool) -> None:
    """The names in outgoing are on the disk afterwards."""
    with passing("outgoing"):
        fsync_folder(spool.outgoing)


def existing(spool: Spool, name: str, job_key: str, *, scale: int = 4) -> Published | None:
    """The whole result of ``job_key`` under a name that the output of ``name`` would get; None where there is none.

    job is "", since the sidecar may name an earlier one. ``settle`` comes before the claim is dropped.
    """
    for stem in output_stems(name, job_key, scale=scale):
        if _is_free(spool.outgoing, stem):
            return None
        if is_whole_pair(spool.outgoing, stem, job_key):
            return Published("", stem + PICTURE, stem + SIDECAR, existed=True)
    return None


def _is_there(outgoing: int, output: Output) -> bool:
    """Whether nothing needs writing, by the first stem that is not something else's."""
    for stem in _stems(output):
        standing = _standing(outgoing, stem, output)
        if standing is not _Standing.TAKEN:
            return standing is _Standing.WHOLE
    return False


def _stems(output: Output) -> Iterator[str]:
    return output_stems(output.claim.name, output.job_key, scale=output.scale)


def _is_free(outgoing: int, stem: str) -> bool:
    return all(status_of(stem + suffix, folder=outgoing) is None for suffix in (SIDECAR, PICTURE))


def _standing(outgoing: int, stem: str, output: Output) -> _Standing:
    has_sidecar, has_picture = (status_of(stem + suffix, folder=outgoing) is not None for suffix in (SIDECAR, PICTURE))
    if not has_sidecar and not has_picture:
        return _Standing.FREE
    if has_sidecar and has_picture:
        return _Standing.WHOLE if is_whole_pair(outgoing, stem, output.job_key) else _Standing.TAKEN
    if has_picture:
        return _Standing.NO_SIDECAR if _same_bytes(outgoing, stem + PICTURE, output.picture) else _Standing.TAKEN
    sidecar = read_sidecar(outgoing, stem + SIDECAR)
    ours = sidecar is not None and (sidecar.job == output.claim.job or sidecar.job_key == output.job_key)
    return _Standing.NO_PICTURE if ours else _Standing.TAKEN


def _same_bytes(outgoing: int, name: str, content: bytes) -> bool:
    """The bits that the key promises; a picture of other bits would not fit the sidecar that is made for these."""
    try:
        return read_small(name, folder=outgoing, most_bytes=MAX_FILE_BYTES) == content
    except OSError:
        return False


def _show(outgoing: int, output: Output) -> Published:
    for stem in _stems(output):
        standing = _standing(outgoing, stem, output)
        if standing is _Standing.WHOLE:
            _remove_parts(outgoing, output)
            return Published(output.claim.job, stem + PICTURE, stem + SIDECAR, existed=True)
        if standing is _Standing.NO_PICTURE:
            remove(stem + SIDECAR, folder=outgoing)  # of a try that did not end; its record is not of these bits
        if standing is not _Standing.TAKEN and _show_under(outgoing, stem, output, standing):
            return Published(output.claim.job, stem + PICTURE, stem + SIDECAR, existed=False)
    raise OSError(errno.EEXIST, "every name is taken")


def _show_under(outgoing: int, stem: str, output: Output, standing: _Standing) -> bool:
    """Rename both parts; False, and both parts as before, where one of the names has been taken in this moment."""
    sidecar, picture = output.parts
    try:
        rename_noreplace(sidecar, stem + SIDECAR, source_folder=outgoing, target_folder=outgoing)
    except FileExistsError:
        return False
    if standing is _Standing.NO_SIDECAR:
        remove(picture, folder=outgoing)
        return True
    try:
        rename_noreplace(picture, stem + PICTURE, source_folder=outgoing, target_folder=outgoing)
    except BaseException as fault:
        rename_noreplace(stem + SIDECAR, sidecar, source_folder=outgoing, target_folder=outgoing)
        if isinstance(fault, FileExistsError):
            return False
        raise
    return True


def _remove_parts(outgoing: int, output: Output) -> None:
    for name in output.parts:
        remove(name, folder=outgoing)
