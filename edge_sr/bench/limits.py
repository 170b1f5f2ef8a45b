"""The roofline of each variant, on the devices that were named."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from edge_sr.bench.records import plain
from edge_sr.bench.variants import Subject, Warn
from edge_sr.errors import EdgeSRError, EnvironmentFault
from edge_sr.models.bundle_model import BundleModel

if TYPE_CHECKING:
    from edge_sr.bench.roofline.devices import Device


def check_devices(names: Sequence[str]) -> None:
    """Before minutes of measuring. UsageError for a name that is no device's, EnvironmentFault without onnx."""
    from edge_sr.bench.roofline.devices import THIS_CPU, device_named

    for name in names:
        if name != THIS_CPU:
            device_named(name)
    if names and find_spec("onnx") is None:
        raise EnvironmentFault("--roofline needs the package onnx", hint='pip install "edge-sr[build]"')


def limits_of(subjects: Sequence[Subject], devices: Sequence[str], *, warn: Warn) -> dict[str, Any]:
    """By "device: variant"; a variant that has none there is told and left out. On a board the precision counts and
    not the engine; this processor is measured once.
    """
    from edge_sr.bench.roofline import THIS_CPU, measure_this_cpu, roofline_of

    found: dict[str, Any] = {}
    here: dict[int | None, Device] = {}
    for device in devices:
        for subject in _distinct(subjects, here=device == THIS_CPU):
            assert isinstance(subject.model, BundleModel) and subject.bundle is not None
            if device == THIS_CPU and subject.threads not in here:
                here[subject.threads] = measure_this_cpu(subject.threads)
            try:
                told = roofline_of(
                    subject.bundle,
                    subject.model.networks,
                    device,
                    subject.precision,
                    steps=subject.steps,
                    threads=subject.threads,
                    device=here[subject.threads] if device == THIS_CPU else None,
                )
            except EdgeSRError as error:
                warn(f"{subject.title} has no roofline on {device}: {error.what}")
                continue
            found[f"{device}: {subject.title}"] = plain(told)
    return found


def _distinct(subjects: Sequence[Subject], *, here: bool) -> list[Subject]:
    """Those with networks, of each bundle and precision one; here those that this processor runs."""
    with_networks = [each for each in subjects if isinstance(each.model, BundleModel)]
    if here:
        with_networks = [each for each in with_networks if each.backend == "onnxruntime"]
    kept: dict[tuple[object, ...], Subject] = {}
    for each in with_networks:
        parts = (each.choice.word, each.sampler, each.steps, each.precision, *((each.threads,) if here else ()))
        kept.setdefault(parts, each)
    return list(kept.values())
