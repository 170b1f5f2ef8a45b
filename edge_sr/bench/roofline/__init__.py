"""The limit: how fast a graph could be on a device at best, which bound applies, and where the rest of the time goes.

A roofline counts what every launch computes and moves and sets it against what the device can compute and move in a
second: whichever takes longer is the least that the launch can take. Everything it says of a board is a prediction and
is labelled so; of this processor it is held against measured times.

For ``edge-sr bench --roofline DEVICE``, which puts the object into ``roofline`` of bench.json:

    roofline_of(bundle, networks, device_name, precision, steps=..., threads=...) -> dict    (of_bundle; text_of prints)

and below that

    roofline(graph_path, device=..., precision=...) -> Roofline    (floor)
    devices() -> dict[str, Device]; THIS_CPU                       (devices, from devices.json)
    measure_this_cpu(threads) -> Device                            (this_cpu)
    node_times(artifact, threads=..., runs=...) -> Profile         (node_times)

Boards need onnx alone; this processor needs onnx and onnxruntime. Both are imported when they are needed.
"""

from edge_sr.bench.roofline.devices import THIS_CPU, Device, devices
from edge_sr.bench.roofline.floor import Roofline, roofline
from edge_sr.bench.roofline.node_times import Profile, node_times
from edge_sr.bench.roofline.of_bundle import roofline_of
from edge_sr.bench.roofline.text import text_of
from edge_sr.bench.roofline.this_cpu import measure_this_cpu

__all__ = [
    "THIS_CPU",
    "Device",
    "Profile",
    "Roofline",
    "devices",
    "measure_this_cpu",
    "node_times",
    "roofline",
    "roofline_of",
    "text_of",
]
