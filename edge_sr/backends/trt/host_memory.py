"""Which is faster on a board: pictures copied to the GPU, or a GPU that works on the host's memory.

That depends on the board and its clocks, not only on who owns the memory. So both are measured, side by side, and the
choice is kept in the folder of the engines.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_sr.artifacts.engine_cache import cache_folders
from edge_sr.artifacts.engine_folder import faults
from edge_sr.artifacts.strict_json import Fields, parse_json
from edge_sr.artifacts.trust import FILE_MODE, check_hands
from edge_sr.backends.cuda_driver import probe
from edge_sr.backends.trt import EngineSession, TensorRT
from edge_sr.errors import IntegrityError
from edge_sr.image.atomic import write_atomically
from edge_sr.timing import side_by_side

FILE = "host-memory.json"
SCHEMA_VERSION = 1
_HINT = "edge-sr doctor --measure"
_LONGEST_MS = 1e6


@dataclass(frozen=True)
class HostMemory:
    """A picture's way through ``EngineSession.run``, in ms: the median of many, in the one mode and in the other.

    device: CUDA's name of the GPU. integrated: it shares the memory of the processor. simulated: both times come from
    the tests' stand-in and mean nothing.
    """

    device: str
    integrated: bool
    copies_ms: float
    zero_copy_ms: float
    simulated: bool

    @property
    def zero_copy(self) -> bool:
        """Whether it was the faster one."""
        return self.zero_copy_ms < self.copies_ms

    @property
    def told(self) -> str:
        """The measurement in a few words."""
        if self.simulated:
            return "simulated, not measured"
        return f"measured, {self.zero_copy_ms:.3f} ms without copies, {self.copies_ms:.3f} ms with"


_FIELDS = tuple(name for name in HostMemory.__dataclass_fields__ if name != "device")  # each GPU is a key of the file


def measure_host_memory(artifact: Path, *, rounds: int = 200, number: int = 0) -> HostMemory:
    """Both modes of the GPU of that number on one engine, a picture each in turn.

    So both see the same clocks and the same neighbours. Noise goes in, a batch as the engine is tuned for. Raises as
    ``TensorRT.open`` does.
    """
    backend = TensorRT(zero_copy=False, number=number)
    zero_copying = TensorRT(zero_copy=True, number=number)
    with backend.open(artifact) as copies, zero_copying.open(artifact) as zero_copy:
        calls = {"copies": _call_of(copies), "zero_copy": _call_of(zero_copy)}
        p50_ms = side_by_side(calls, rounds=rounds, warmup=10)  # each slot captures in its second
    return HostMemory(
        backend.gpu.name, backend.gpu.integrated, p50_ms["copies"], p50_ms["zero_copy"], backend.simulated
    )


def _call_of(session: EngineSession) -> Callable[[], object]:
    """A picture from the caller's arrays to the caller's arrays."""
    batch, random = session.batch[1], np.random.default_rng(0)
    feeds = {
        spec.name: random.random([batch if axis == "N" else int(axis) for axis in spec.shape]).astype(spec.dtype)
        for spec in session.inputs
    }
    out = session.run(feeds)
    return lambda: session.run(feeds, out=out)


def record_host_memory(folder: Path, measured: HostMemory) -> Path:
    """Keep it in ``folder``, in the place of an older one of the same GPU, and give the file.

    folder: see ``engine_folder.cache_to_write``. EnvironmentFault where nothing can be written there.
    """
    path = folder / FILE
    try:
        kept = _read(path)
    except IntegrityError:  # whatever it was, it is of no use
        kept = {}
    kept[measured.device] = measured
    devices = {device: {name: getattr(each, name) for name in _FIELDS} for device, each in kept.items()}
    text = json.dumps({"schema_version": SCHEMA_VERSION, "devices": devices}, indent=2, allow_nan=False) + "\n"
    with faults(folder):
        write_atomically(path, text.encode(), overwrite=True)
        path.chmod(FILE_MODE)  # whatever the umask: a file that others may write to is not read
    return path


def recorded_host_memory(folder: Path, device: str) -> HostMemory | None:
    """What was measured of the GPU of that name; None where nothing was.

    IntegrityError, naming the field, where the file is not what ``record_host_memory`` writes, or where somebody else
    could have written it. A simulated record comes back as what it is; on a real GPU, TensorRT takes none.
    """
    return _read(folder / FILE).get(device)


def tensorrt_as_measured(note: Callable[[str], None] = lambda line: None, *, number: int = 0) -> TensorRT:
    """TensorRT in the mode that was faster on this GPU, as recorded in a folder of the engine cache.

    note: is told of a record that cannot be read, a line each. EnvironmentFault as TensorRT's.
    """
    device = probe(number).name
    for folder in cache_folders():
        try:
            measured = recorded_host_memory(folder, device)
        except IntegrityError as error:
            note(f"{error.where}: {error.what}, so it is not used; try: {_HINT}")
            continue
        if measured is not None:
            return TensorRT(measured=measured, number=number)
    return TensorRT(number=number)


def _read(path: Path) -> dict[str, HostMemory]:
    try:
        status, content = path.stat(), path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise IntegrityError(f"cannot be read: {error.strerror}", where=path, hint=_HINT) from error
    check_hands(path, status, hint=_HINT)
    top = Fields(parse_json(content, path), f"{path}: ")
    top.only(("schema_version", "devices"))
    top.integer("schema_version", SCHEMA_VERSION, SCHEMA_VERSION)
    devices = top.child("devices")
    return {device: _parse(device, devices.child(device)) for device in devices.raw}


def _parse(device: str, raw: Fields) -> HostMemory:
    raw.only(_FIELDS)
    return HostMemory(
        device,
        integrated=raw.choice("integrated", (True, False)),
        copies_ms=raw.number("copies_ms", 0, _LONGEST_MS),
        zero_copy_ms=raw.number("zero_copy_ms", 0, _LONGEST_MS),
        simulated=raw.choice("simulated", (True, False)),
    )
