"""Networks with the weights that a bundle ships: where a training on other pictures, or a longer one, starts."""

from __future__ import annotations

import hashlib
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import nn

from edge_sr.errors import IntegrityError, UsageError


def load_onnx_weights(path: Path, network: nn.Module) -> str:
    """Fill a network from the initialisers of the ONNX file that ``export`` made of it. Returns the file's sha256.

    Raises UsageError where there is no such file, IntegrityError where it is of another network.
    """
    if not path.is_file():
        raise UsageError("no such file", where=path, expected="a network that edge-sr-host export wrote")
    written = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in onnx.load(path).graph.initializer}
    wanted = network.state_dict()
    missing = [name for name, value in wanted.items() if name not in written or written[name].shape != value.shape]
    if missing:
        raise IntegrityError(
            f"has no {missing[0]} of this size", where=path, expected="the network of this configuration"
        )
    network.load_state_dict({name: written[name] for name in wanted})
    return hashlib.sha256(path.read_bytes()).hexdigest()
