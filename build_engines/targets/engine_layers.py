"""What TensorRT made of a graph: its inspector's JSON, counted."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any


def layer_types(inspector: str) -> Counter[str]:
    """How many layers of each type an engine has.

    inspector: what ``EngineInspector`` writes as JSON. An engine built with less than detailed verbosity has names in
    place of layers; of those only reformats are recognised, by their name, and the others count as "unknown".
    """
    layers = json.loads(inspector).get("Layers", [])
    return Counter(_type(layer) for layer in layers)


def _type(layer: Any) -> str:
    name = layer if isinstance(layer, str) else str(layer.get("Name", ""))
    if name.startswith("Reformatting CopyNode"):
        return "Reformat"
    return "unknown" if isinstance(layer, str) else str(layer.get("LayerType", "unknown"))
