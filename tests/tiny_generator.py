"""A feed-forward bundle with three small convolutions of random weights, made in milliseconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edge_sr.artifacts.bundle import Bundle, write_bundle
from edge_sr.artifacts.manifest import InputSpec, Manifest, NetworkFile
from edge_sr.tensors import TensorSpec

WIDTH, TILE = 8, 64


def generator(channels: int = 1, scale: int = 4, seed: int = 0) -> Any:
    """(N, C, 64, 64) -> (N, C, 64 s, 64 s): linear interpolation and what three convolutions add to it; needs onnx."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(seed)
    constants = {"sizes": np.array([1, 1, scale, scale], np.float32)}
    nodes, last = [], "lr"
    for number, (into, out) in enumerate([(channels, WIDTH), (WIDTH, WIDTH), (WIDTH, channels * scale**2)]):
        drawn = rng.normal(0, (2 / (9 * into)) ** 0.5, (out, into, 3, 3)) * (0.05 if number == 2 else 1)
        constants |= {f"w{number}": drawn.astype(np.float32), f"b{number}": np.zeros(out, np.float32)}
        name = f"conv_{number}"
        nodes.append(helper.make_node("Conv", [last, f"w{number}", f"b{number}"], [name], pads=[1] * 4))
        last = name
        if number < 2:
            nodes.append(helper.make_node("Relu", [name], [f"relu_{number}"]))
            last = f"relu_{number}"
    nodes += [
        helper.make_node("DepthToSpace", [last], ["detail"], blocksize=scale, mode="CRD"),
        helper.make_node("Resize", ["lr", "", "sizes"], ["smooth"], mode="linear"),
        helper.make_node("Add", ["smooth", "detail"], ["sr"]),
    ]
    ports = [("lr", TILE), ("sr", TILE * scale)]
    lr, sr = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", channels, side, side]) for n, side in ports)
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "generator", [lr], [sr], weights)
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 20)])


def publish(
    folder: Path, *, family: str = "rrdb", channels: int = 1, scale: int = 4, degradation: str = "area"
) -> Bundle:
    """The bundle ``folder``; onnx is needed."""
    import onnx

    staging = folder.with_name(f"{folder.name}-staging")
    (staging / "onnx").mkdir(parents=True)
    onnx.save(generator(channels, scale), staging / "onnx" / "generator.onnx")
    specs = [
        (TensorSpec(name, ("N", channels, side, side), "float32"),) for name, side in (("lr", 64), ("sr", 64 * scale))
    ]
    manifest = Manifest(
        name="tiny-generator",
        version="0.0.1",
        family=family,
        scale=scale,
        input=InputSpec(channels, degradation, TILE),
        networks={"generator": NetworkFile("onnx/generator.onnx", 20, *specs)},
        intended_use="Tests. Not for diagnostic use.",
    )
    return write_bundle(folder, staging=staging, manifest=manifest)
