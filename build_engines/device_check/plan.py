"""The steps of the check, in order. What a later one needs of an earlier one is kept in the Subject."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from build_engines.device_check.energy import measure_energy
from build_engines.device_check.engines import build_engine, check_accuracy
from build_engines.device_check.gpu_choices import measure_cuda_graph, measure_memory_ways
from build_engines.device_check.growth import measure_growth
from build_engines.device_check.latency import measure_in_turn, measure_latency
from build_engines.device_check.lengths import Lengths
from build_engines.device_check.machine import ask_doctor
from build_engines.device_check.overlap import measure_overlap
from build_engines.device_check.picture import measure_picture
from build_engines.device_check.steps import Findings, Step
from build_engines.device_check.subject import FLOAT32, PRECISIONS, Subject
from build_engines.targets.base import Tell

BUILD_S = {"onnxruntime": 25.0, "tensorrt": 150.0}  # roughly, for the estimate
ACCURACY_S = 5.0
WARM_UP_S = 2.0


def steps_of(subject: Subject, lengths: Lengths, *, rebuild: bool, tell: Tell) -> list[Step]:
    """tell: gets the lines of the builds."""

    def each(name: str, measure: Callable[..., Findings], about_s: float) -> list[Step]:
        return [Step(f"{name}-{one}", partial(measure, subject, one), about_s) for one in PRECISIONS]

    on_gpu = subject.tensorrt
    return [
        Step("doctor", ask_doctor, 2.0, on_device=False),
        *each("build", partial(build_engine, rebuild=rebuild, tell=tell), BUILD_S[subject.target.flavour]),
        *each("accuracy", check_accuracy, ACCURACY_S),
        Step("host-memory", partial(measure_memory_ways, subject), 5.0 if on_gpu else 0.0),
        Step(
            f"latency-{FLOAT32}",
            partial(measure_latency, subject, FLOAT32, seconds=lengths.latency_s),
            lengths.latency_s + WARM_UP_S,
            on_device=False,
        ),
        *each("latency", partial(measure_latency, seconds=lengths.latency_s), lengths.latency_s + WARM_UP_S),
        Step("in-turn", partial(measure_in_turn, subject, seconds=lengths.in_turn_s), lengths.in_turn_s),
        *each("overlap", partial(measure_overlap, seconds=lengths.overlap_s), lengths.overlap_s),
        *each("cuda-graph", partial(measure_cuda_graph, seconds=lengths.graph_s), lengths.graph_s if on_gpu else 0.0),
        *each("growth", partial(measure_growth, seconds=lengths.growth_s), lengths.growth_s),
        *each(
            "power",
            partial(measure_energy, seconds=lengths.power_s, idle_s=lengths.idle_s),
            lengths.power_s + lengths.idle_s,
        ),
        Step("picture", partial(measure_picture, subject, seconds=lengths.picture_s), lengths.picture_s),
    ]
