"""What every output tells of itself: how it was made, and the key of that making."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from edge_sr import __version__

if TYPE_CHECKING:
    from edge_sr.image.radiograph import Radiograph
    from edge_sr.models.base import SRModel
    from edge_sr.pipeline.draws import Draws

NOTICE = "Not for diagnostic use. Detail beyond the low resolution picture was made by a model."
TEXT_KEY = "edge-sr"  # PNG text chunk that holds the provenance as JSON
KEY_FIELDS = (  # what decides the pixels: two outputs that agree in all of them are the same picture
    "input_sha256",
    "colour",
    "model",
    "model_sha256",
    "engine_sha256",
    "precision",
    "backend",
    "sampler",
    "steps",
    "seed",
    "fidelity",
    "samples",
    "scale",
    "version",
)

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def job_key(
    radiograph: Radiograph,
    model: SRModel,
    *,
    seed: int | None = None,
    fidelity: float | None = None,
    samples: int = 1,
) -> str:
    """The key that ``upscale`` with these arguments writes into the provenance, known before anything is computed."""
    from edge_sr.pipeline.draws import chosen_draws

    return key_of(_making(radiograph, model, chosen_draws(model, seed=seed, fidelity=fidelity, samples=samples)))


def key_of(provenance: Mapping[str, object]) -> str:
    """The key of a record, from its own fields: sha256 of KEY_FIELDS as JSON with sorted names and no white space.

    So whoever reads an output can tell whether its record was changed; that of another version has another key.
    """
    fields = {name: provenance.get(name) for name in KEY_FIELDS}
    return hashlib.sha256(_CANONICAL.encode(fields).encode()).hexdigest()


def provenance_of(radiograph: Radiograph, model: SRModel, draws: Draws, *, lr_rmse: float) -> dict[str, object]:
    """lr_rmse: of the result, of a colour picture's luma where that alone was super-resolved."""
    making = _making(radiograph, model, draws)
    return {**making, "job_key": key_of(making), "lr_rmse": round(lr_rmse, 4), "notice": NOTICE}


def _making(radiograph: Radiograph, model: SRModel, draws: Draws) -> dict[str, object]:
    """What is known before the result."""
    noisy = model.noise_shape(64, 64) is not None
    return {
        "tool": "edge-sr",
        "version": __version__,
        **model.provenance,
        "instead_of": list(model.instead_of) or None,
        "seed": draws.seed if noisy else None,
        "fidelity": draws.fidelity if noisy else None,
        "samples": draws.samples if noisy else None,
        "scale": model.scale,
        "input_sha256": radiograph.sha256,
        "input_note": radiograph.note,
        "colour": _colour(radiograph),
    }


def _colour(radiograph: Radiograph) -> str:
    """What of a picture's colour went through the model."""
    if radiograph.chroma is not None:
        return "luma"
    return "rgb" if radiograph.pixels.ndim == 3 else "grey"


def png_text(provenance: Mapping[str, object]) -> dict[str, str]:
    """The text chunks of an output: Comment is what common picture viewers show."""
    return {
        TEXT_KEY: json.dumps(provenance),
        "Comment": NOTICE,
        "Software": f"edge-sr {__version__}",
    }
