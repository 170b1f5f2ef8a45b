"""The part of ``cuda.bindings.driver`` (cuda-python) that edge-sr uses: CUDA graphs. Results come as tuples."""

from __future__ import annotations

import enum
from types import ModuleType
from typing import Any

from tests.sim.machine import Machine, SimulatedFault, Template


class CUresult(enum.IntEnum):
    CUDA_SUCCESS = 0
    CUDA_ERROR_LAUNCH_TIMEOUT = 702
    CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED = 900


class CUstreamCaptureMode(enum.IntEnum):
    CU_STREAM_CAPTURE_MODE_GLOBAL = 0
    CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1
    CU_STREAM_CAPTURE_MODE_RELAXED = 2


class CUstream(int):
    """A handle."""


def make_module(machine: Machine) -> ModuleType:
    ok = CUresult.CUDA_SUCCESS

    def alive(name: str) -> bool:
        return machine.call(name, in_capture=name in ("cuStreamBeginCapture", "cuStreamEndCapture"))

    def cuStreamBeginCapture(hStream: CUstream, mode: CUstreamCaptureMode) -> tuple[CUresult]:  # noqa: N802
        if not alive("cuStreamBeginCapture"):
            return (CUresult.CUDA_ERROR_LAUNCH_TIMEOUT,)
        machine.begin_capture(machine.stream_of(int(hStream), "a capture"))
        return (ok,)

    def cuStreamEndCapture(hStream: CUstream) -> tuple[CUresult, Any]:  # noqa: N802
        stream = machine.stream_of(int(hStream), "a capture")
        templates = machine.end_capture(stream)
        if not alive("cuStreamEndCapture"):
            return CUresult.CUDA_ERROR_LAUNCH_TIMEOUT, None
        if machine.refuses_capture:
            return CUresult.CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, None
        machine.graphs.append(templates)
        return ok, templates

    def cuGraphInstantiate(hGraph: list[Template], flags: int) -> tuple[CUresult, Any]:  # noqa: N802
        if not alive("cuGraphInstantiate"):
            return CUresult.CUDA_ERROR_LAUNCH_TIMEOUT, None
        executable = list(hGraph)
        machine.graphs.append(executable)
        return ok, executable

    def cuGraphLaunch(hGraphExec: list[Template], hStream: CUstream) -> tuple[CUresult]:  # noqa: N802
        if not alive("cuGraphLaunch"):
            return (CUresult.CUDA_ERROR_LAUNCH_TIMEOUT,)
        if not any(graph is hGraphExec for graph in machine.graphs):
            raise SimulatedFault("a destroyed graph is launched")
        machine.replay(hGraphExec, machine.stream_of(int(hStream), "a graph"))
        return (ok,)

    def destroy(name: str, graph: list[Template]) -> tuple[CUresult]:
        machine.graphs = [other for other in machine.graphs if other is not graph]
        return (ok if alive(name) else CUresult.CUDA_ERROR_LAUNCH_TIMEOUT,)

    def cuGraphDestroy(hGraph: list[Template]) -> tuple[CUresult]:  # noqa: N802
        return destroy("cuGraphDestroy", hGraph)

    def cuGraphExecDestroy(hGraphExec: list[Template]) -> tuple[CUresult]:  # noqa: N802
        return destroy("cuGraphExecDestroy", hGraphExec)

    module = ModuleType("cuda.bindings.driver")
    functions = (cuStreamBeginCapture, cuStreamEndCapture, cuGraphInstantiate, cuGraphLaunch)
    for member in (CUresult, CUstreamCaptureMode, CUstream, *functions, cuGraphDestroy, cuGraphExecDestroy):
        setattr(module, member.__name__, member)
    return module
