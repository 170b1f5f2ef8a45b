"""Which calibration table an INT8 build takes: one that was named, the bundle's own, or one made now."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from build_engines.chain_graphs import Graphs, observed_tensors
from build_engines.ranges.calibrated import calibrated
from calibration.choose import AUTO
from calibration.images import CalibrationImages
from calibration.table import CalibrationTable, read_table
from edge_sr.artifacts.chain import Chain


@dataclass(frozen=True)
class FoundRanges:
    """A table that fits, and where it comes from, in words."""

    table: CalibrationTable
    source: str

    @property
    def sha256(self) -> str:
        """Of what the table says, however it is written."""
        return hashlib.sha256(json.dumps(asdict(self.table), sort_keys=True).encode()).hexdigest()


def ranges_for(
    chain: Chain,
    graphs: Graphs,
    pictures: Callable[[], CalibrationImages],
    *,
    table: Path | None = None,
    anew: bool = False,
    method: str = AUTO,
    threads: int | None = None,
) -> FoundRanges:
    """The table to quantise a chain with. Raises IntegrityError where the one that is taken is stale or foreign.

    pictures: what to calibrate on, asked for only where that is done. table: a file that was named. anew: calibrate,
    though the bundle has a table.
    """
    path = table or (None if anew else shipped_table(chain))
    if path is None:
        images = pictures()
        made = calibrated(chain, graphs, images, method=method, threads=threads)
        return FoundRanges(made, f"made now, from {len(images.lr)} pictures")
    read = read_table(path)
    names = [name for model in graphs.values() for name in observed_tensors(model)]
    # The hash last: it differs wherever another part does, and says less.
    read.check(path, tensors=names, sampler=chain.sampler, steps=chain.steps, graph_sha256=chain.sha256)
    whose = str(table) if table else "the bundle's own"
    return FoundRanges(read, f"{whose}, from {read.origin.images} pictures")


def shipped_table(chain: Chain) -> Path | None:
    """The one in the bundle for this sampler and number of steps."""
    for each in chain.bundle.manifest.calibration:
        if (each.sampler, each.steps) == (chain.sampler, chain.steps):
            return chain.bundle.folder / each.file
    return None
