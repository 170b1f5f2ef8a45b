"""One network as an ONNX file: written by PyTorch's exporter, held against PyTorch in ONNX Runtime."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from build_engines.compose import shape_of
from edge_sr.artifacts.manifest import NetworkFile
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.errors import IntegrityError
from edge_sr.tensors import TensorSpec

OPSET = 20
TOLERANCE = 1e-4  # of the largest output, between PyTorch and ONNX Runtime, both float32
# PyTorch's GroupNorm on a CPU: 3e-4 off float64 in one layer over a whole picture, where ONNX Runtime is 3e-6 off.
NORMALISED_TOLERANCE = 2e-3


def to_onnx(net: nn.Module, path: Path, feeds: Mapping[str, Tensor], output: str) -> None:
    """Write one network with a free batch axis, and hold it against PyTorch."""
    net.eval()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it tells of packages that are not needed here
    free = {0: torch.export.Dim("N")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about its own internals
        program = torch.onnx.export(
            net,
            tuple(feeds.values()),
            input_names=list(feeds),
            output_names=[output],
            opset_version=OPSET,
            dynamic_shapes=tuple(None if name == "timestep" else free for name in feeds),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    for container in (*proto.graph.node, *proto.graph.value_info, proto.graph):
        del container.metadata_props[:]  # stack traces with the paths of the machine that exported
        container.doc_string = ""
    onnx.save(proto, path)
    normalised = any(isinstance(layer, nn.GroupNorm) for layer in net.modules())
    with torch.no_grad():
        check(path, feeds, net(*feeds.values()), tolerance=NORMALISED_TOLERANCE if normalised else TOLERANCE)


def check(path: Path, feeds: Mapping[str, Tensor], expected: Tensor, *, tolerance: float = TOLERANCE) -> None:
    """IntegrityError where ONNX Runtime does not compute what PyTorch did."""
    with OnnxRuntime(threads=1).open(path) as session:
        (got,) = session.run({name: value.numpy() for name, value in feeds.items()}).values()
    error = float(np.abs(got - expected.numpy()).max()) / float(expected.abs().max())
    if not error <= tolerance:
        raise IntegrityError(f"differs from PyTorch by {error:.2e} of its largest value", where=path)


def network_file(path: Path) -> NetworkFile:
    """The manifest's entry of a network: its ports as the file itself names them."""
    proto = onnx.load(path)

    def specs(ports: Any) -> tuple[TensorSpec, ...]:
        return tuple(
            TensorSpec(
                p.name, tuple(shape_of(p)), onnx.helper.tensor_dtype_to_np_dtype(p.type.tensor_type.elem_type).name
            )
            for p in ports
        )

    opset = next(entry.version for entry in proto.opset_import if not entry.domain)
    return NetworkFile(f"onnx/{path.name}", opset, specs(proto.graph.input), specs(proto.graph.output))
