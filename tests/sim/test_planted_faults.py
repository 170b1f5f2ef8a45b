"""Mistakes planted in the real backend, one at a time; the simulator has to find each.

A mistake is a change of a line of its source. Some of them would go unnoticed on a real GPU for months.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import edge_sr.backends.trt as package
from edge_sr.backends.trt import TensorRT, gpu, graph, parts, session, slot
from tests.sim.engines import feeds, write_engine
from tests.sim.install import install
from tests.sim.machine import Machine, SimulatedFault

USED_IN: dict[ModuleType, tuple[ModuleType, str]] = {  # who calls what of a module
    gpu: (package, "Gpu"),
    graph: (slot, "Graph"),
    parts: (session, "Parts"),
    session: (package, "EngineSession"),
    slot: (parts, "Slot"),
}

MISTAKES: dict[str, tuple[ModuleType, str, str, str]] = {
    "no event between copy in and inference": (
        slot,
        "compute.wait_for_event(self._loaded)",
        "pass",
        "an inference reads device memory .* without an event that orders it after a copy in",
    ),
    "no event between inference and copy out": (
        slot,
        "copy_out.wait_for_event(self._computed)",
        "pass",
        "a copy out reads device memory .* without an event that orders it after an inference",
    ),
    "the event stands before the copies": (
        slot,
        "self._loaded.record(copy_in)",
        "self._computed.record(copy_in)",
        "without an event .* after a copy in",
    ),
    "a result is read before its copy was waited for": (
        slot,
        "self._done.record(copy_out)",
        "self._done.record(compute)",
        "the host reads page-locked memory .* before a copy out was waited for",
    ),
    "a result is read without waiting": (
        session,
        "slot.wait()\n                results",
        "pass\n                results",
        "the host reads page-locked memory .* before a copy out was waited for",
    ),
    "a buffer is filled while its copy may still read it": (
        session,
        "            return slot\n",
        "            self._free.append(slot)\n            return slot\n",
        "the host writes page-locked memory .* before a copy in was waited for",
    ),
    "two sets of buffers are the same": (
        parts,
        "self.slots.append(slot)",
        "self.slots = [slot, slot]",
        "the host writes page-locked memory .* before a copy in was waited for",
    ),
    "the inference runs on the default stream": (
        slot,
        "execute_async_v3(self._streams.compute.handle))",
        "execute_async_v3(0))",
        "an inference on the default stream",
    ),
    "a copy runs on the default stream": (
        slot,
        "(buffer.device, buffer.shown, copy_in)",
        "(buffer.device, buffer.shown)",
        "a copy in on the default stream",
    ),
    "an event is recorded on the default stream": (
        slot,
        "self._done.record(copy_out)",
        "self._done.record()",
        "an event is recorded on the default stream",
    ),
    "host memory is not page-locked": (
        slot,
        "cuda.pagelocked_empty((size,), port.dtype, mem_flags=flags)",
        "np.empty((size,), port.dtype)",
        "a copy in uses host memory that is not page-locked",
    ),
    "device memory is too small": (
        slot,
        "cuda.mem_alloc(host.nbytes)",
        "cuda.mem_alloc(max(4, host.nbytes - 4))",
        "reaches outside every allocation",
    ),
    "the graph outlives its shapes": (
        slot,
        "        self._drop_graph()\n        self._tell_shapes",
        "        self._tell_shapes",
        "a graph is replayed after a shape changed",
    ),
    "the graph outlives its addresses": (
        slot,
        "        elif fault :=",
        "        elif self._context.set_tensor_address('mean', self._buffers[0].address) and (fault := ''):\n"
        "            pass\n"
        "        elif fault :=",
        "a graph is replayed after an address changed",
    ),
    "capture without a warm-up": (
        slot,
        "and self._warm and",
        "and",
        "a capture without a warm-up at these shapes",
    ),
    "waiting inside a capture": (
        slot,
        '"""Some engines cannot be captured; they run plainly."""',
        "self._streams.compute.synchronize()",
        "Stream.synchronize is illegal while a stream is captured",
    ),
    "allocating inside a capture": (
        slot,
        '"""Some engines cannot be captured; they run plainly."""',
        "self._gpu.cuda.mem_alloc(4)",
        "mem_alloc is illegal while a stream is captured",
    ),
    "memory is freed before the work on it is over": (
        slot,
        "self._done.synchronize()\n",
        "self._buffers[0].device.free()\n",
        "device memory .* is freed while .* may still use it",
    ),
    "memory is used after it was freed": (
        slot,
        "        self._enqueue()\n",
        "        self._enqueue()\n        self._streams.compute.synchronize()\n"
        "        self._buffers[-1].device.free()\n",
        "a copy out uses freed device memory",
    ),
    "closing does not wait for the work": (
        parts,
        "                self.drain()\n",
        "",
        "is freed while .* may still use it",
    ),
}
LEAKS: dict[str, tuple[ModuleType, str, str, str]] = {
    "memory is not freed": (slot, "memory.free()", "pass", "device memory of .* was never freed"),
    "a context is kept": (slot, "        self._context = None\n", "", "execution context.* was never freed"),
    "graphs are kept": (slot, "            self._graph.close()\n", "            pass\n", "graphs were never destroyed"),
    "CUDA's context is kept": (
        gpu,
        "context.detach()",
        "cuda_driver.pop_context",
        "the primary context was never released",
    ),
    "PyCUDA leaves a context pushed": (gpu, "cuda_driver.pop_context()", "pass", "1 contexts are still pushed"),
    "streams are kept": (parts, "self.streams.release()\n", "pass\n", "streams were never destroyed"),
    "events are kept": (slot, "self._loaded = self._computed = self._done = None", "", "events were never destroyed"),
}


def plant(mistake: tuple[ModuleType, str, str, str], patch: pytest.MonkeyPatch) -> None:
    """Put the changed class where the original is used."""
    module, old, new, _ = mistake
    assert module.__file__ is not None
    source = Path(module.__file__).read_text("utf-8")
    assert source.count(old) == 1, f"{old!r} stands {source.count(old)} times in {module.__name__}"
    changed = ModuleType(module.__name__)
    patch.setitem(sys.modules, f"{module.__name__}.changed", changed)  # dataclasses look there
    exec(compile(source.replace(old, new), f"{module.__file__} (changed)", "exec"), changed.__dict__)
    user, name = USED_IN[module]
    patch.setattr(user, name, getattr(changed, name))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    install(monkeypatch, machine)
    return machine


@pytest.fixture
def use(machine: Machine, tmp_path: Path) -> Callable[[], object]:
    """Runs and streams of changing shapes, one stream left half-way; gives the references that could leak."""

    def call() -> object:
        opened = TensorRT().open(write_engine(tmp_path / "g.engine"))
        try:
            for number in range(6):
                opened.run(feeds(number))
            list(opened.stream(feeds(number, batch) for number, batch in enumerate((1, 1, 1, 1, 2, 2, 2, 2, 3, 1))))
            half = opened.stream(feeds(number) for number in range(4))
            next(half)
        finally:
            opened.close()
        return opened, half

    return call


def test_without_a_mistake_there_is_no_fault_and_no_leak(machine: Machine, use: Callable[[], object]) -> None:
    kept = use()
    assert (machine.faults, machine.leaks()) == ([], []) and kept


@pytest.mark.parametrize("name", MISTAKES)
def test_a_planted_mistake_is_found(
    name: str, machine: Machine, use: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(MISTAKES[name], monkeypatch)
    with pytest.raises(SimulatedFault):
        use()
    assert re.search(MISTAKES[name][-1], machine.faults[0]), machine.faults[0]


@pytest.mark.parametrize(
    ("mistake", "told"),
    [
        ((slot, "self._done.record(compute)", "pass"), "the host reads page-locked memory .* before an inference"),
        (
            (slot, "cuda.host_alloc_flags.DEVICEMAP if self._zero_copy else 0", "0"),
            "page-locked memory that is not mapped",
        ),
        (
            (session, "            return slot\n", "            self._free.append(slot)\n            return slot\n"),
            "the host",
        ),
    ],
)
def test_a_planted_mistake_without_copies_is_found(
    mistake: tuple[ModuleType, str, str],
    told: str,
    machine: Machine,
    use: Callable[[], object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine.integrated = True
    plant((*mistake, told), monkeypatch)
    with pytest.raises(SimulatedFault):
        use()
    assert re.search(told, machine.faults[0]), machine.faults[0]


@pytest.mark.parametrize("name", LEAKS)
def test_a_planted_leak_is_found(
    name: str, machine: Machine, use: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(LEAKS[name], monkeypatch)
    kept = use()
    assert any(re.search(LEAKS[name][-1], leak) for leak in machine.leaks()), machine.leaks()
    assert kept
