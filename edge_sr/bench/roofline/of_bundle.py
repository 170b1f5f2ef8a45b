"""The roofline of a bundle: on a board that is not here as a prediction, on this processor checked by measuring."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import repeat
from pathlib import Path

from edge_sr.artifacts.bundle import Bundle
from edge_sr.artifacts.chain import COMPOSED, Networks, chain_of
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.bench.roofline.devices import THIS_CPU, Device, device_named
from edge_sr.bench.roofline.floor import Floor, Roofline, loaded, roofline, roofline_of_model
from edge_sr.bench.roofline.node_times import node_times
from edge_sr.bench.roofline.projected import with_projection
from edge_sr.bench.roofline.this_cpu import measure_this_cpu
from edge_sr.errors import UsageError


def roofline_of(
    bundle: Bundle,
    networks: Networks,
    device_name: str,
    precision: str,
    *,
    steps: int | None = None,
    threads: int | None = None,
    runs: int = 100,
    device: Device | None = None,
) -> dict[str, object]:
    """``Roofline.to_json`` of one bundle, a dict that json can write; as ``roofline`` in bench.json.

    device_name: one of ``devices()``, or THIS_CPU. For a board the bundle's float32 graph is counted in ``precision``
    (fp32, fp16, int8), with as many ``steps`` of the denoiser (None: the bundle's default), and ``networks`` are not
    looked at. For THIS_CPU it is the file that runs: of ``networks``, which have to be of that precision (UsageError
    where they are not), the composed graph as ONNX Runtime has optimised it; each of its nodes is measured, ``runs``
    times, and the object has ``measured`` and, as ``ideal_floor_ms``, the floor of the bundle's float32 graph in the
    same precision with everything fused that can be.
    device: of an earlier ``measure_this_cpu``, so that it is measured once for several precisions.
    """
    if device_name != THIS_CPU:
        return _named(bundle, _predicted(bundle, device_named(device_name), precision, steps))
    if networks.precision != precision:
        what = f"the networks that run are {networks.precision}"
        hint = f"edge-sr build --precision {precision} --backend onnxruntime"
        raise UsageError(what, where=f"--roofline {THIS_CPU}", expected=precision, hint=hint)
    device = device or measure_this_cpu(threads)
    measured = _measured(_running(networks), device, precision, threads=threads, runs=runs)
    ideal = _predicted(bundle, replace(device, fuses=True), precision, steps)
    return {**_named(bundle, measured), "ideal_floor_ms": ideal.floor_ms}


def _predicted(bundle: Bundle, device: Device, precision: str, steps: int | None) -> Roofline:
    """Of the composed graph, or of a feed-forward bundle's generator with the projection that a build adds to it."""
    networks = bundle.manifest.networks
    role = next((role for role in (*COMPOSED, "generator") if role in networks), None)
    if role is None:
        expected = f"a bundle with {COMPOSED[0]}.onnx"
        raise UsageError("no graph does it all at the default sampler", where=bundle.folder, expected=expected)
    model = loaded(bundle.path(role))
    if role not in COMPOSED:
        model = with_projection(model, scale=bundle.manifest.scale, rounds=chain_of(bundle).projection_rounds)
    found = roofline_of_model(model, bundle.path(role).name, device, precision)
    defaults = bundle.manifest.sampler
    default = steps is None or defaults is None or steps == defaults.num_inference_steps
    return found if default else replace(found, floors=tuple(_repeated(found.floors, steps or 1)))


def _repeated(floors: Iterable[Floor], steps: int) -> Iterator[Floor]:
    """The denoiser's first step ``steps`` times, and the rest once; the sampler's sums in between are next to none."""
    for floor in floors:
        if floor.work.stage != "denoiser":
            yield floor
        elif any(name.startswith("denoiser0/") for name in floor.work.nodes):
            yield from repeat(floor, steps)


def _running(networks: Networks) -> Path:
    if len(networks.roles) != 1:
        hint = "a sampler and steps that make one graph"
        raise UsageError("the networks run one by one", where="--roofline", expected="one composed graph", hint=hint)
    return networks.files[networks.roles[0]]


def _measured(path: Path, device: Device, precision: str, *, threads: int | None, runs: int) -> Roofline:
    """Of the graph as ONNX Runtime has optimised it: those are the nodes whose times it tells."""
    with tempfile.TemporaryDirectory() as folder:
        optimized = Path(folder) / path.name
        OnnxRuntime(threads).inference_session(path, optimized=optimized)
        _name_nodes(optimized)
        profile = node_times(optimized, threads=threads, runs=runs)
        return roofline(optimized, device=device, precision=precision, profile=profile)


def _name_nodes(path: Path) -> None:
    """After what they write, those that have no name: by their names the profiler tells them apart."""
    model = loaded(path)
    for node in model.graph.node:
        node.name = node.name or node.output[0]
    path.write_bytes(model.SerializeToString())


def _named(bundle: Bundle, found: Roofline) -> dict[str, object]:
    manifest = bundle.manifest
    return {"bundle": f"{manifest.name} {manifest.version}", **found.to_json()}
