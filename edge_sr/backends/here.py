"""The backends that can run on this machine, and the machine as the engines of each depend on it."""

from __future__ import annotations

from importlib import import_module

from edge_sr.artifacts.engine_key import Machine, machine_for
from edge_sr.device.facts import read_facts
from edge_sr.errors import EnvironmentFault

# By name: a backend's module imports what runs it, and not every machine has that.
BACKENDS = {"onnxruntime": "edge_sr.backends.onnxrt:OnnxRuntime", "tensorrt": "edge_sr.backends.trt:TensorRT"}


def machines_here() -> dict[str, Machine]:
    """By backend, for those that are installed and find a device to run on."""
    facts, machines = read_facts(), {}
    for name, place in BACKENDS.items():
        module, _, attribute = place.partition(":")
        try:
            machines[name] = machine_for(getattr(import_module(module), attribute)(), facts)
        except (ImportError, EnvironmentFault):
            continue
    return machines
