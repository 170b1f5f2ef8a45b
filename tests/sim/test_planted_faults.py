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
from edge_sr.backends.trt import TensorRT, gpu, graph, parts, session, slot, spans
from edge_sr.errors import AccuracyError
from tests.sim.engines import feeds, write_engine
from tests.sim.install import install
from tests.sim.machine import Machine, SimulatedFault

USED_IN: dict[ModuleType, tuple[ModuleType, str]] = {  # who calls what of a module
    gpu: (package, "Gpu"),
    graph: (slot, "Graph"),
    parts: (session, "Parts"),
    session: (package, "EngineSession"),
    slot: (parts, "Slot"),
    spans: (slot, "Span"),
}

MISTAKES: dict[str, tuple[ModuleType, str, str, str]] = {
    "no event between copy in and inference": (
        slot,
        "self._streams.compute.wait_for_event(span.ended)",
        "pass",
        "an inference reads device memory .* without an event that orders it after a copy in",
    ),
    "no event between inference and copy out": (
        slot,
        'stream.wait_for_event(self._spans["compute"].ended)',
        "pass",
        "a copy out reads device memory .* without an event that orders it after an inference",
    ),
    "the event stands before the copies": (
        slot,
        "self._streams.compute.wait_for_event(span.ended)",
        "self._streams.compute.wait_for_event(span.begun)",
        "without an event .* after a copy in",
    ),
    "a result is read without waiting": (
        session,
        "slot.wait()\n                    times = slot.times()",
        "times = {}",
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
        "copy(buffer.device, buffer.shown, stream)",
        "copy(buffer.device, buffer.shown)",
        "a copy in on the default stream",
    ),
    "an event is recorded on the default stream": (
        spans,
        "self.ended.record(stream)",
        "self.ended.record()",
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
        'self._spans["compute" if self._zero_copy else "copy_out"].ended.synchronize()\n',
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
    "times are asked before the picture is back": (
        session,
        "slot.wait()\n                    times = slot.times()",
        "times = slot.times()\n                    slot.wait()",
        "the time of an event is asked before it was waited for",
    ),
    "times of events that tell none": (
        spans,
        "flags.DEFAULT if timed else flags.DISABLE_TIMING",
        "flags.DISABLE_TIMING",
        "the time of an event that was made without timing",
    ),
    "times of an event that is not recorded": (
        spans,
        "self.begun.record(stream)",
        "pass",
        "the time of an event that was never recorded",
    ),
    "times of an event inside a graph": (
        slot,
        '"""Some engines cannot be captured; they run plainly."""',
        'self._spans["compute"].begin(self._streams.compute)',
        "the time of an event that was recorded into a graph",
    ),
    "times of a part that ends before it begins": (
        spans,
        "float(self.ended.time_since(self.begun))",
        "float(self.begun.time_since(self.ended))",
        "the time between two events that nothing orders",
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
    "events are kept": (slot, "        self._spans = {}\n", "", "events were never destroyed"),
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
def use(machine: Machine, tmp_path: Path) -> Callable[..., object]:
    """Runs and streams of changing shapes, one stream left half-way; gives the references that could leak."""

    def call(**options: bool) -> object:
        opened = TensorRT(**options).open(write_engine(tmp_path / "g.engine"))
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


@pytest.mark.parametrize("timed", [True, False])
def test_without_a_mistake_there_is_no_fault_and_no_leak(
    timed: bool, machine: Machine, use: Callable[..., object]
) -> None:
    kept = use(timed=timed)
    assert (machine.faults, machine.leaks()) == ([], []) and kept
    assert ("Event.time_since" in machine.names) is timed


@pytest.mark.parametrize("name", MISTAKES)
def test_a_planted_mistake_is_found(
    name: str, machine: Machine, use: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(MISTAKES[name], monkeypatch)
    with pytest.raises(SimulatedFault):
        use()
    assert re.search(MISTAKES[name][-1], machine.faults[0]), machine.faults[0]


@pytest.mark.parametrize(
    ("mistake", "told"),
    [
        (
            (slot, "ended.synchronize()", "begun.synchronize()"),
            "the time of an event is asked before it was waited for",
        ),
        (
            (session, "slot.wait()\n                    times = slot.times()", "times = {}"),
            "the host reads page-locked memory .* before an inference",
        ),
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
    use: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine.integrated = True
    plant((*mistake, told), monkeypatch)
    with pytest.raises(SimulatedFault):
        use()
    assert re.search(told, machine.faults[0]), machine.faults[0]


@pytest.mark.parametrize(
    ("zero_copy", "old", "new", "told"),
    [
        (False, '"compute" if self._zero_copy else "copy_out"', '"compute"', "the host reads .* before a copy out was"),
        (True, "        compute.end(stream)\n", "", "the host reads .* before an inference was"),
    ],
)
def test_without_times_a_wait_for_the_wrong_event_is_found(
    zero_copy: bool,
    old: str,
    new: str,
    told: str,
    machine: Machine,
    use: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plant((slot, old, new, told), monkeypatch)
    with pytest.raises(SimulatedFault):
        use(zero_copy=zero_copy, timed=False)
    assert re.search(told, machine.faults[0]), machine.faults[0]


@pytest.mark.parametrize(
    "copy", ["copy(buffer.device, buffer.shown, stream)", "copy(buffer.shown, buffer.device, stream)"]
)
def test_a_forgotten_copy_shows_as_poison(
    copy: str, machine: Machine, use: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant((slot, copy, "pass", ""), monkeypatch)
    with pytest.raises(AccuracyError, match="holds NaN or Inf"):
        use()


@pytest.mark.parametrize("name", LEAKS)
def test_a_planted_leak_is_found(
    name: str, machine: Machine, use: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(LEAKS[name], monkeypatch)
    kept = use()
    assert any(re.search(LEAKS[name][-1], leak) for leak in machine.leaks()), machine.leaks()
    assert kept
