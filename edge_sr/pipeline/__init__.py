"""From radiographs to their super-resolved pictures, their provenance, and the files that hold both.

    files         one file to a picture and its sidecar
    upscaling     pictures in memory, one or several that share the model's calls
    sharing       whether pictures may share a call
    draws         which noise a result is made of
    tiles         pictures as tiles, in batches through the model
    canvas        from the model's numbers to integers, some rows at a time
    samples       the mean of several samples, and how far they lie apart
    provenance    what every output tells of itself, and the key of its making
    workspace     memory that the next picture uses again
    result        what comes out

A name is imported when it is asked for: commands that need one word of it need none of its packages.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_sr.pipeline.draws import chosen_fidelity as chosen_fidelity
    from edge_sr.pipeline.files import sidecar_text as sidecar_text
    from edge_sr.pipeline.files import upscale_file as upscale_file
    from edge_sr.pipeline.files import write_comparison as write_comparison
    from edge_sr.pipeline.files import write_sidecar as write_sidecar
    from edge_sr.pipeline.files import write_spread as write_spread
    from edge_sr.pipeline.provenance import NOTICE as NOTICE
    from edge_sr.pipeline.provenance import TEXT_KEY as TEXT_KEY
    from edge_sr.pipeline.provenance import job_key as job_key
    from edge_sr.pipeline.provenance import key_of as key_of
    from edge_sr.pipeline.provenance import png_text as png_text
    from edge_sr.pipeline.result import SRResult as SRResult
    from edge_sr.pipeline.sharing import shares_batches as shares_batches
    from edge_sr.pipeline.tiles import LARGEST_BATCH as LARGEST_BATCH
    from edge_sr.pipeline.tiles import OVERLAP as OVERLAP
    from edge_sr.pipeline.upscaling import upscale as upscale
    from edge_sr.pipeline.upscaling import upscale_many as upscale_many
    from edge_sr.pipeline.workspace import LARGEST_KEPT as LARGEST_KEPT
    from edge_sr.pipeline.workspace import Workspace as Workspace

HOMES = {  # as above; a test holds the two together
    "draws": ("chosen_fidelity",),
    "files": ("sidecar_text", "upscale_file", "write_comparison", "write_sidecar", "write_spread"),
    "provenance": ("NOTICE", "TEXT_KEY", "job_key", "key_of", "png_text"),
    "result": ("SRResult",),
    "sharing": ("shares_batches",),
    "tiles": ("LARGEST_BATCH", "OVERLAP"),
    "upscaling": ("upscale", "upscale_many"),
    "workspace": ("LARGEST_KEPT", "Workspace"),
}


if not TYPE_CHECKING:  # a checker would take any name for one of ours

    def __getattr__(name: str) -> object:
        home = next((home for home, names in HOMES.items() if name in names), None)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(f"{__name__}.{home}"), name)
        globals()[name] = found
        return found
