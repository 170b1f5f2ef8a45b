"""How long a bundle was trained, from the record that it carries."""

from __future__ import annotations

import json
from typing import Any

from edge_sr.artifacts.bundle import Bundle


def trained_steps(bundle: Bundle) -> dict[str, int]:
    """Steps of each stage; {} where the bundle carries no record."""
    file = bundle.folder / "training" / "log.json"
    log: dict[str, list[dict[str, Any]]] = json.loads(file.read_text()) if file.is_file() else {}
    return {stage: max(int(line["step"]) for line in lines) for stage, lines in log.items() if lines}
