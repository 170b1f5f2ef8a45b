"""The rules of the simulated GPU, one by one, through the names that programs use."""

from __future__ import annotations

import contextlib
import struct
from types import ModuleType
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from tests.sim import cuda_bindings_driver, pycuda_driver
from tests.sim.kernels import Array, Kernel
from tests.sim.machine import Machine, SimulatedFault


class Program:
    """Two streams, a page-locked array and device memory of the same size, in a pushed context."""

    def __init__(self, seed: int | None = None) -> None:
        self.machine = Machine(seed)
        self.cuda: ModuleType = pycuda_driver.make_module(self.machine)
        self.graphs: ModuleType = cuda_bindings_driver.make_module(self.machine)
        self.cuda.Device(0).retain_primary_context().push()
        self.one, self.two = self.cuda.Stream(), self.cuda.Stream()
        self.host = self.cuda.pagelocked_empty((4,), np.float32)
        self.back = self.cuda.pagelocked_empty((4,), np.float32)
        self.device = self.cuda.mem_alloc(16)

    def copy_in(self, value: float) -> None:
        np.copyto(self.host, np.full(4, value, np.float32))
        self.cuda.memcpy_htod_async(self.device, self.host, self.one)

    def copy_out(self) -> None:
        self.cuda.memcpy_dtoh_async(self.back, self.device, self.one)


@pytest.fixture
def program() -> Program:
    return Program()


def test_new_memory_is_poisoned(program: Program) -> None:
    program.copy_out()
    program.one.synchronize()
    assert np.isnan(program.back.copy()).all() and np.isnan(program.host.copy()).all()


def test_nothing_runs_before_it_has_to(program: Program) -> None:
    program.copy_in(3)
    program.copy_out()
    event = program.cuda.Event().record(program.one)
    assert program.machine.order == [] and not event.query()
    event.synchronize()
    assert program.machine.order == ["a copy in", "a copy out", "an event"] and event.query()
    assert program.back.copy().tolist() == [3] * 4


def test_waiting_for_one_stream_leaves_the_other(program: Program) -> None:
    program.copy_in(3)
    program.two.synchronize()
    assert program.machine.order == []


def test_a_seed_draws_the_order_and_the_same_seed_the_same(program: Program) -> None:
    orders = []
    for seed in (1, 1, 2, 3, 4):
        drawn = Program(seed)
        for value in range(4):
            drawn.copy_in(value)
            drawn.cuda.memcpy_dtoh_async(drawn.back, drawn.cuda.mem_alloc(16), drawn.two)
            drawn.one.synchronize()
        orders.append(tuple(drawn.machine.order))
    assert orders[0] == orders[1] and len(set(orders)) > 2


def test_an_event_orders_streams(program: Program) -> None:
    program.copy_in(3)
    program.two.wait_for_event(program.cuda.Event().record(program.one))
    program.cuda.memcpy_dtoh_async(program.back, program.device, program.two)
    program.two.synchronize()
    assert program.machine.order == ["a copy in", "an event", "a wait", "a copy out"]


def test_an_event_orders_only_what_was_queued_before_it(program: Program) -> None:
    event = program.cuda.Event().record(program.one)
    program.copy_in(3)
    program.two.wait_for_event(event)
    with pytest.raises(SimulatedFault, match="without an event that orders it after a copy in"):
        program.cuda.memcpy_dtoh_async(program.back, program.device, program.two)


def test_an_event_never_recorded_orders_nothing(program: Program) -> None:
    program.copy_in(3)
    program.two.wait_for_event(program.cuda.Event())
    with pytest.raises(SimulatedFault, match="without an event"):
        program.cuda.memcpy_dtoh_async(program.back, program.device, program.two)


def test_order_passes_through_a_third_party(program: Program) -> None:
    program.copy_in(3)
    third = program.cuda.Stream()
    third.wait_for_event(program.cuda.Event().record(program.one))
    program.two.wait_for_event(program.cuda.Event().record(third))
    program.cuda.memcpy_dtoh_async(program.back, program.device, program.two)
    program.two.synchronize()
    assert program.back.copy().tolist() == [3] * 4


def test_two_reads_need_no_order(program: Program) -> None:
    program.copy_in(3)
    program.one.synchronize()
    program.cuda.memcpy_dtoh_async(program.back, program.device, program.one)
    other = program.cuda.pagelocked_empty((4,), np.float32)
    program.cuda.memcpy_dtoh_async(other, program.device, program.two)
    program.one.synchronize()
    program.two.synchronize()
    assert program.machine.faults == []


def test_halves_of_one_array_do_not_meet(program: Program) -> None:
    program.copy_in(3)
    program.one.synchronize()
    program.cuda.memcpy_dtoh_async(program.back[:2], program.device, program.one)
    program.cuda.memcpy_dtoh_async(program.back[2:], program.device, program.two)
    program.one.synchronize()
    assert program.back[:2].copy().tolist() == [3, 3]
    with pytest.raises(SimulatedFault, match="the host reads"):
        program.back[2:].copy()


@pytest.mark.parametrize(
    "read",
    [
        lambda array: array[0],
        lambda array: array.copy(),
        lambda array: array + 1,
        lambda array: array.max(),
        lambda array: np.isnan(array),
        lambda array: np.copyto(np.empty(4, np.float32), array),
        lambda array: np.concatenate([array, array]),
        lambda array: array.tobytes(),
    ],
)
def test_every_way_to_read_a_result_too_early_is_found(read: object, program: Program) -> None:
    program.copy_out()
    with pytest.raises(SimulatedFault, match="the host reads page-locked memory .* before a copy out"):
        read(program.back)  # type: ignore[operator]


@pytest.mark.parametrize("index", [0, slice(None), slice(1, 2)])
def test_writing_what_a_copy_may_still_read_is_found(index: object, program: Program) -> None:
    program.copy_in(3)
    with pytest.raises(SimulatedFault, match="the host writes page-locked memory .* before a copy in"):
        program.host[index] = 0


def test_a_write_past_the_hooks_is_found_when_the_copy_runs(program: Program) -> None:
    program.copy_in(3)
    program.host.view(np.ndarray)[:] = 4
    with pytest.raises(SimulatedFault, match="the host changed page-locked memory while a copy in"):
        program.one.synchronize()


def test_ordinary_memory_is_no_buffer_for_copies(program: Program) -> None:
    with pytest.raises(SimulatedFault, match="not page-locked"):
        program.cuda.memcpy_htod_async(program.device, np.zeros(4, np.float32), program.one)


def test_freed_memory_is_not_used_again(program: Program) -> None:
    program.device.free()
    with pytest.raises(SimulatedFault, match="a copy out uses freed device memory"):
        program.copy_out()


def test_freeing_under_a_copy_is_found(program: Program) -> None:
    program.copy_in(3)
    with pytest.raises(SimulatedFault, match="freed while a copy in may still use it"):
        program.device.free()


def test_copies_stay_inside_their_memory(program: Program) -> None:
    large = program.cuda.pagelocked_empty((5,), np.float32)
    with pytest.raises(SimulatedFault, match="reaches outside"):
        program.cuda.memcpy_htod_async(program.device, large, program.one)


def test_memory_is_mapped_only_when_asked_for(program: Program) -> None:
    with pytest.raises(SimulatedFault, match="not mapped"):
        program.host.base.get_device_pointer()


def test_the_default_stream_is_a_fault(program: Program) -> None:
    with pytest.raises(SimulatedFault, match="a copy in on the default stream"):
        program.cuda.memcpy_htod_async(program.device, program.host)


def test_without_a_context_nothing_goes(program: Program) -> None:
    program.machine.contexts.pop()
    with pytest.raises(program.cuda.LogicError, match="invalid device context"):
        program.cuda.mem_alloc(4)


def test_a_captured_stream_runs_nothing_until_it_is_replayed(program: Program) -> None:
    program.graphs.cuStreamBeginCapture(program.one.handle, 1)
    program.machine.queue(program.machine.streams[program.one.handle], "work", lambda: None)
    graph = program.graphs.cuStreamEndCapture(program.one.handle)[1]
    program.one.synchronize()
    assert program.machine.order == []
    executable = program.graphs.cuGraphInstantiate(graph, 0)[1]
    for _ in range(2):
        program.graphs.cuGraphLaunch(executable, program.one.handle)
    program.one.synchronize()
    assert program.machine.order == ["work", "work"]


def test_a_destroyed_graph_is_not_launched(program: Program) -> None:
    program.graphs.cuStreamBeginCapture(program.one.handle, 1)
    graph = program.graphs.cuStreamEndCapture(program.one.handle)[1]
    executable = program.graphs.cuGraphInstantiate(graph, 0)[1]
    program.graphs.cuGraphExecDestroy(executable)
    with pytest.raises(SimulatedFault, match="a destroyed graph"):
        program.graphs.cuGraphLaunch(executable, program.one.handle)


@pytest.mark.parametrize("call", ["synchronize", "mem_alloc", "free", "query"])
def test_what_is_illegal_during_capture_is_found(call: str, program: Program) -> None:
    event = program.cuda.Event()
    program.graphs.cuStreamBeginCapture(program.one.handle, 1)
    calls = {
        "synchronize": program.one.synchronize,
        "mem_alloc": lambda: program.cuda.mem_alloc(4),
        "free": program.device.free,
        "query": event.query,
    }
    with pytest.raises(SimulatedFault, match="is illegal while a stream is captured"):
        calls[call]()


def test_a_capture_does_not_wait_for_events_outside_of_it(program: Program) -> None:
    event = program.cuda.Event().record(program.two)
    program.graphs.cuStreamBeginCapture(program.one.handle, 1)
    with pytest.raises(SimulatedFault, match="joins a captured stream and one that is not"):
        program.one.wait_for_event(event)


# times


def test_an_event_tells_the_steps_since_another(program: Program) -> None:
    start, end = program.cuda.Event().record(program.one), program.cuda.Event()
    program.copy_in(3)
    program.copy_out()
    end.record(program.one).synchronize()
    assert end.time_since(start) == 2


def test_time_is_told_across_streams_where_an_event_orders_them(program: Program) -> None:
    start = program.cuda.Event().record(program.one)
    program.copy_in(3)
    program.two.wait_for_event(program.cuda.Event().record(program.one))
    assert program.cuda.Event().record(program.two).synchronize().time_since(start) == 1


def test_an_event_that_was_found_over_tells_its_time(program: Program) -> None:
    start, end = program.cuda.Event().record(program.one), program.cuda.Event()
    end.record(program.one)
    assert not end.query()
    program.one.synchronize()
    assert end.query() and end.time_since(start) == 0


def records(program: Program, *streams: Any) -> list[Any]:
    """An event on each stream, all of them waited for."""
    events = [program.cuda.Event().record(stream) for stream in streams]
    return [event.synchronize() for event in events]


def captured(program: Program) -> Any:
    event = program.cuda.Event()
    program.graphs.cuStreamBeginCapture(program.one.handle, 1)
    event.record(program.one)
    program.graphs.cuStreamEndCapture(program.one.handle)
    return event


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        (lambda p: [*records(p, p.one), p.cuda.Event().record(p.one)], "is asked before it was waited for"),
        (lambda p: [*records(p, p.one), p.cuda.Event()], "was never recorded"),
        (lambda p: [p.cuda.Event(p.cuda.event_flags.DISABLE_TIMING), *records(p, p.one)], "was made without timing"),
        (lambda p: [*records(p, p.one), captured(p)], "was recorded into a graph"),
        (lambda p: records(p, p.one, p.two), "two events that nothing orders"),
        (lambda p: reversed(records(p, p.one, p.one)), "two events that nothing orders"),
    ],
)
def test_a_time_that_cuda_tells_by_luck_or_not_at_all_is_a_fault(events: Any, reason: str, program: Program) -> None:
    start, end = events(program)
    with pytest.raises(SimulatedFault, match=reason):
        end.time_since(start)


# kernels

PTX = b".visible .entry twice( .param .u64 a, .param .u64 b, .param .u32 n )"


@pytest.fixture
def twice(program: Program) -> Any:
    """b = 2 * a, for the first n values."""

    def compute(threads: int, values: np.ndarray, results: np.ndarray, count: int) -> None:
        results[:threads] = 2 * values[:threads]

    program.machine.kernels["twice"] = Kernel(
        lambda a, b, count: [Array(a, count, False), Array(b, count, True)], compute
    )
    return program.cuda.module_from_buffer(PTX).get_function("twice").prepare("PPi")


def test_a_kernel_runs_in_its_stream(twice: Any, program: Program) -> None:
    result = program.cuda.mem_alloc(16)
    program.copy_in(3)
    twice.prepared_async_call((1,), (4, 1, 1), program.one, int(program.device), int(result), 4)
    program.cuda.memcpy_dtoh_async(program.back, result, program.one)
    program.one.synchronize()
    assert program.machine.order == ["a copy in", "twice()", "a copy out"]
    assert program.back.copy().tolist() == [6] * 4


def test_values_without_a_thread_stay_what_they_were(twice: Any, program: Program) -> None:
    program.copy_in(3)
    twice.prepared_async_call((1,), (3, 1, 1), program.one, int(program.device), int(program.device), 4)
    program.copy_out()
    program.one.synchronize()
    assert program.back.copy().tolist() == [6, 6, 6, 3]


@pytest.mark.parametrize(
    ("launch", "reason"),
    [
        (lambda p, out: (p.two, int(p.device), int(out), 4), "without an event that orders it after a copy in"),
        (lambda p, out: (p.one, int(p.device), int(out), 5), "reaches outside every allocation"),
        (lambda p, out: (None, int(p.device), int(out), 4), r"twice\(\) on the default stream"),
    ],
)
def test_a_kernel_keeps_the_rules(launch: Any, reason: str, twice: Any, program: Program) -> None:
    program.copy_in(3)
    with pytest.raises(SimulatedFault, match=reason):
        twice.prepared_async_call((1,), (4, 1, 1), *launch(program, program.cuda.mem_alloc(16)))


def test_arguments_that_do_not_fit_are_refused(twice: Any, program: Program) -> None:
    with pytest.raises(struct.error):
        twice.prepared_async_call((1,), (4, 1, 1), program.one, int(program.device), 4)


def test_a_function_that_is_not_in_the_module_is_refused(program: Program) -> None:
    with pytest.raises(program.cuda.LogicError, match="named symbol not found"):
        program.cuda.module_from_buffer(PTX).get_function("thrice")


# the end


def test_what_is_left_at_the_end_is_listed(program: Program) -> None:
    leaks = "; ".join(program.machine.leaks())
    for left in ("device memory of 16 bytes", "page-locked memory", "2 streams", "primary context", "still pushed"):
        assert left in leaks


def test_a_fault_that_is_swallowed_is_kept(program: Program) -> None:
    program.copy_out()
    with contextlib.suppress(SimulatedFault):
        program.back.copy()
    assert len(program.machine.faults) == 1


def test_a_stream_destroyed_at_work_is_a_fault(program: Program) -> None:
    program.copy_in(3)
    del program.one
    assert program.machine.faults == ["a stream is destroyed before its work was waited for: a copy in"]


def test_a_lost_device_fails_every_call(program: Program) -> None:
    program.machine.lost_at = program.machine.calls + 1
    for _ in range(2):
        with pytest.raises(program.cuda.Error, match="launch timed out"):
            program.one.synchronize()
