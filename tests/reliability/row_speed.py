"""How long a lone picture takes, how many go through the folders, and what the service takes while nothing comes.

With the model that ships, on a disk: here waiting for the disk is part of what is measured.
"""

from __future__ import annotations

import select
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tests.reliability.finding import Finding, NotHere
from tests.reliability.ledger import Ledger, names
from tests.reliability.pictures import png
from tests.reliability.rig import Rig
from tests.reliability.service import Service, processor_s, pss_bytes

MODEL = ("--model", "default", "--precision", "fp32", "--backend", "onnxruntime")
WARM_UP = 10
LONE_P50_MS = 60.0
LONE_PAUSE_S = (0.1, 0.25)  # longer than a picture takes: each one is alone
SHARE = 0.7
ROUNDS = 3
BATCH = 8
IDLE_SHARE, IDLE_MB = 0.005, 160.0
SETTLES_S = 10.0


@contextmanager
def _spool_on_disk(rig: Rig) -> Iterator[Ledger]:
    with tempfile.TemporaryDirectory(prefix="edge-sr-speed-") as folder, rig.spool(Path(folder)) as ledger:
        yield ledger


def _service(rig: Rig, ledger: Ledger) -> Service:
    """As users have it: the default model, all cores."""
    env = {"EDGE_SR_CACHE": str(rig.folder / "no-engines")}
    return Service(ledger.spool, words=MODEL, env=env)


def lone_latency(rig: Rig, count: int, *, seed: int = 3) -> dict[str, Finding]:
    """From the rename into incoming to the moment when the kernel tells of the picture in outgoing."""
    finding, draw, ms = Finding(count), np.random.default_rng(seed), list[float]()
    with _spool_on_disk(rig) as ledger, _service(rig, ledger) as service:
        service.start()
        with _Arrivals(ledger.spool / "outgoing") as outgoing:
            for number in range(WARM_UP + count):
                time.sleep(draw.uniform(*LONE_PAUSE_S))
                hidden = ledger.give(f"l{number:05d}.png", png(number), hidden=True)
                start_s = time.perf_counter()
                hidden.rename(hidden.with_name(hidden.name[1:]))
                if not outgoing.wait_for(f"l{number:05d}_x4.png", 10):
                    finding.fault(f"picture {number} is not published within 10 s")
                    break
                ms.append((time.perf_counter() - start_s) * 1e3)
        service.terminate()
    timed = ms[WARM_UP:] or [float("nan")]
    finding.limit("p50_ms", float(np.median(timed)), most=LONE_P50_MS)
    finding.figures |= {"p95_ms": round(float(np.percentile(timed, 95)), 1), "least_ms": round(min(timed), 1)}
    return {"latency": finding}


class _Arrivals:
    """Names that were moved into a folder, as the kernel tells them."""

    def __init__(self, folder: Path) -> None:
        try:
            import inotify_simple
        except ModuleNotFoundError:
            raise NotHere("inotify_simple is not installed") from None
        self._inotify = inotify_simple.INotify()
        self._inotify.add_watch(str(folder), inotify_simple.flags.MOVED_TO)

    def __enter__(self) -> _Arrivals:
        return self

    def __exit__(self, *exc: object) -> None:
        self._inotify.close()

    def wait_for(self, name: str, timeout_s: float) -> bool:
        end_s = time.monotonic() + timeout_s
        while (left_s := end_s - time.monotonic()) > 0:
            ready, _, _ = select.select([self._inotify], [], [], left_s)
            if ready and any(event.name == name for event in self._inotify.read(timeout=0)):
                return True
        return False


def throughput(rig: Rig, count: int) -> dict[str, Finding]:
    """In turn: so many pictures through the folders, and the same from file to file by the same model in this process.

    The latter in batches as large as the service's, decoding and encoding included, without waiting for the disk.
    """
    finding, folders, files = Finding(count), list[float](), list[float]()
    contents = [png(seed) for seed in range(count)]
    with _spool_on_disk(rig) as ledger, _service(rig, ledger) as service, _FileToFile(rig) as file_to_file:
        service.start()
        for turn in range(ROUNDS + 1):  # the first one warms up
            files.append(file_to_file.pictures_per_s(contents))
            folders.append(_through_folders(ledger, contents, turn))
        service.terminate()
    folder_rate, file_rate = float(np.median(folders[1:])), float(np.median(files[1:]))
    finding.figures |= {"folders_per_s": round(folder_rate, 1), "file_to_file_per_s": round(file_rate, 1)}
    finding.least("share", folder_rate / file_rate, least=SHARE)
    return {"throughput": finding}


def _through_folders(ledger: Ledger, contents: list[bytes], turn: int) -> float:
    hidden = [ledger.give(f"t{turn}-{number:05d}.png", content, hidden=True) for number, content in enumerate(contents)]
    before, start_s = len(names(ledger.spool / "done")), time.perf_counter()
    for path in hidden:
        path.rename(path.with_name(path.name[1:]))
    while len(names(ledger.spool / "done")) - before < len(contents):
        time.sleep(0.01)
        if time.perf_counter() - start_s > 600:
            raise TimeoutError("the pictures do not come through")
    return len(contents) / (time.perf_counter() - start_s)


class _FileToFile:
    """The same work without a service: read, decode, compute in batches, encode, write."""

    def __init__(self, rig: Rig) -> None:
        from edge_sr.models import load_model
        from edge_sr.pipeline import Workspace

        self._folder = tempfile.TemporaryDirectory(prefix="edge-sr-files-")
        self._model = load_model("default", precision="fp32", backend="onnxruntime")
        self._workspace = Workspace()

    def __enter__(self) -> _FileToFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self._model.close()
        self._folder.cleanup()

    def pictures_per_s(self, contents: list[bytes]) -> float:
        """The faster of one by one and in batches."""
        home = Path(self._folder.name)
        sources = [home / f"{number:05d}.png" for number in range(len(contents))]
        for path, content in zip(sources, contents, strict=True):
            path.write_bytes(content)
        return max(self._rate(sources, size) for size in (1, BATCH))

    def _rate(self, sources: list[Path], size: int) -> float:
        from edge_sr.image.png import encode_png
        from edge_sr.image.radiograph import read_radiograph
        from edge_sr.pipeline import upscale_many
        from edge_sr.pipeline.provenance import png_text

        start_s = time.perf_counter()
        for first in range(0, len(sources), size):
            some = sources[first : first + size]
            results = upscale_many([read_radiograph(path) for path in some], self._model, workspace=self._workspace)
            for path, result in zip(some, results, strict=True):
                made = encode_png(result.pixels, text=png_text(result.provenance), level=1)
                path.with_name(f"{path.stem}_x4.png").write_bytes(made)
        return len(sources) / (time.perf_counter() - start_s)


def idle(rig: Rig, count: int) -> dict[str, Finding]:
    """count: seconds, after some pictures have gone through and some seconds have passed."""
    finding = Finding(count)
    with _spool_on_disk(rig) as ledger, _service(rig, ledger) as service:
        service.start()
        for number in range(WARM_UP):
            ledger.give(f"i{number}.png", png(number))
        ledger.settled(20)
        time.sleep(SETTLES_S)
        pids = service.processes()
        before_s, start_s = processor_s(pids), time.monotonic()
        time.sleep(count)
        share = (processor_s(service.processes()) - before_s) / (time.monotonic() - start_s)
        finding.limit("share_of_a_core", share, most=IDLE_SHARE)
        finding.limit("pss_mb", pss_bytes(service.processes()) / 1e6, most=IDLE_MB)
        finding.figures["processes"] = len(service.processes())
        service.terminate()
    return {"idle": finding}
