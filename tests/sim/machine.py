"""A GPU that exists on paper only: streams, events, graphs, and the right to do everything as late as possible.

Work on a stream is queued. Policy "late" runs it when the host waits for it and not a moment sooner; policy "random"
runs any of it at any call, in an order that the rules of CUDA allow, drawn from a seed. Beside that, vector clocks hold
every access against every other at the moment it is queued, so that a missing event is a fault in every schedule, not
only in an unlucky one. Faults are raised and kept: whoever swallows one does not hide it.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.sim.clocks import HOST, Clock, Clocks
from tests.sim.kernels import Kernel
from tests.sim.memory import Access, Memory, Region

Touch = tuple[Region, int, int, bool]  # region, from, to, whether it writes


class SimulatedFault(AssertionError):
    """The code under test does what CUDA forbids, or what works by luck only."""


@dataclass
class Operation:
    """needs: what has to be over before it, on other streams as on its own. step: when it ran, see Machine.steps."""

    what: str
    run: Callable[[], None]
    needs: list[Operation]
    done: bool = False
    step: int = 0


@dataclass
class Template:
    """An operation inside a graph. stale: what has changed since it was captured, "" for nothing."""

    what: str
    run: Callable[[], None]
    touches: list[Touch]
    stale: Callable[[], str]


@dataclass(eq=False)
class Stream:
    actor: int
    queue: deque[Operation] = field(default_factory=deque)
    last: Operation | None = None
    capture: list[Template] | None = None


@dataclass(eq=False)
class Event:
    """timed: made to tell times. operation, clock, action: of its latest record; action is (actor, number), see
    clocks.py. captured: it was recorded into a graph.
    """

    timed: bool = True
    operation: Operation | None = None
    clock: Clock = field(default_factory=dict)
    action: tuple[int, int] | None = None
    captured: bool = False


class Machine:
    """One GPU. seed: None for policy "late". integrated, free_mib: what the driver tells of it.

    lost_at: from that call on every call fails. interrupt_at: at that call comes a Ctrl-C.
    during_build: called at each step of a build.
    """

    def __init__(self, seed: int | None = None, *, integrated: bool = False, free_mib: int = 6000) -> None:
        self.integrated, self.free_mib = integrated, free_mib
        self.faults: list[str] = []
        self.clocks = Clocks()
        self.memory = Memory(self.clocks, self.fault)
        self.streams: dict[int, Stream] = {}
        self.events: list[Event] = []
        self.graphs: list[Any] = []
        self._pushed: dict[int, list[Any]] = {}  # by thread
        self.retained = 0  # of the primary context
        self.calls = 0
        self.lost_at: int | None = None
        self.interrupt_at: int | None = None
        self.refuses_capture = False
        self.during_build: Callable[[int], None] = lambda step: None
        self.names: list[str] = []  # of all calls so far
        self.order: list[str] = []  # of what has run
        self.steps = 0  # copies, inferences and the like that have run: the only clock there is, and no time
        self.kernels: dict[str, Kernel] = {}  # what the functions of a module do, by name
        self._random = random.Random(seed) if seed is not None else None
        self._actors = 0

    @property
    def contexts(self) -> list[Any]:
        """Those pushed on this thread, innermost last."""
        return self._pushed.setdefault(threading.get_ident(), [])

    def fault(self, what: str) -> None:
        self.faults.append(what)
        raise SimulatedFault(what)

    # every call of the driver comes through here

    def call(self, name: str, *, in_capture: bool = False) -> bool:
        """Count it and let time pass; False where the device is lost. in_capture: it is legal while one goes on."""
        self.calls += 1
        self.names.append(name)
        if not in_capture and any(stream.capture is not None for stream in self.streams.values()):
            self.fault(f"{name} is illegal while a stream is captured")
        if self.calls == self.interrupt_at:
            raise KeyboardInterrupt
        if self.lost_at is not None and self.calls >= self.lost_at:
            self.memory.lost = True
            return False
        if self._random is not None:
            for _ in range(self._random.choice((0, 0, 1, 3))):
                self._run_any()
        return True

    # streams and events

    def new_stream(self) -> Stream:
        self._actors += 1
        stream = Stream(self._actors)
        self.streams[stream.actor] = stream
        return stream

    def new_event(self, *, timed: bool) -> Event:
        event = Event(timed)
        self.events.append(event)
        return event

    def drop_stream(self, stream: Stream) -> None:
        """Its last reference is gone; nothing is raised there, since Python drops what a destructor raises."""
        if self.streams.pop(stream.actor, None) and stream.queue and not self.memory.lost:
            self.faults.append(f"a stream is destroyed before its work was waited for: {stream.queue[0].what}")

    def stream_of(self, handle: int, what: str) -> Stream:
        if handle not in self.streams:
            self.fault(f"{what} on the default stream" if not handle else f"{what} on a stream that does not exist")
        return self.streams[handle]

    def queue(
        self,
        stream: Stream,
        what: str,
        run: Callable[[], None],
        touches: Iterable[Touch] = (),
        stale: Callable[[], str] = lambda: "",
        needs: Iterable[Operation] = (),
    ) -> Operation | None:
        """Queue an operation, or take it into the graph that is being captured."""
        touches = list(touches)
        if stream.capture is not None:
            stream.capture.append(Template(what, run, touches, stale))
            return None
        self._host_speaks_to(stream)
        number = self.clocks.tick(stream.actor)
        for region, low, high, write in touches:
            self.memory.touch(region, Access(stream.actor, number, write, low, high, what))
        before = [stream.last] if stream.last is not None and not stream.last.done else []
        operation = Operation(what, run, [*before, *(need for need in needs if not need.done)])
        stream.queue.append(operation)
        stream.last = operation
        return operation

    def _host_speaks_to(self, stream: Stream) -> None:
        """What the host did so far happened before what it queues now."""
        self.clocks.tick(HOST)
        self.clocks.learn(stream.actor, self.clocks.of[HOST])

    def record(self, event: Event, stream: Stream) -> None:
        event.captured = stream.capture is not None
        event.operation = self.queue(stream, "an event", lambda: None)
        event.clock = self.clocks.snapshot(stream.actor)
        event.action = None if event.captured else (stream.actor, event.clock[stream.actor])

    def wait(self, stream: Stream, event: Event) -> None:
        """Later work on the stream starts after the latest record of the event; a never recorded one is no wait."""
        if (stream.capture is not None) != event.captured:
            self.fault("a wait for an event joins a captured stream and one that is not")
        if event.operation is None:
            return
        self.queue(stream, "a wait", lambda: None, needs=[event.operation])
        self.clocks.learn(stream.actor, event.clock)

    def elapsed(self, start: Event, end: Event) -> float:
        """Steps between two events. Whatever CUDA refuses, or answers by luck only, is a fault."""
        for event in (start, end):
            if not event.timed:
                self.fault("the time of an event that was made without timing")
            if event.captured:
                self.fault("the time of an event that was recorded into a graph")
            if event.action is None:
                self.fault("the time of an event that was never recorded")
            elif not self.clocks.is_over(*event.action, HOST):
                self.fault("the time of an event is asked before it was waited for")
        assert start.action is not None and start.operation is not None and end.operation is not None
        actor, number = start.action
        if end.clock.get(actor, 0) < number:
            self.fault("the time between two events that nothing orders")
        return float(end.operation.step - start.operation.step)

    def query(self, event: Event) -> bool:
        """Whether it is over; where it is, the host knows as if it had waited."""
        over = event.operation is None or event.operation.done
        if over:
            self.clocks.learn(HOST, event.clock)
        return over

    def synchronize_event(self, event: Event) -> None:
        if event.operation is not None:
            self._run_until(event.operation)
        self.clocks.learn(HOST, event.clock)

    def synchronize_stream(self, stream: Stream) -> None:
        if stream.last is not None:
            self._run_until(stream.last)
        self.clocks.learn(HOST, self.clocks.snapshot(stream.actor))

    def host_touches(self, region: Region, low: int, high: int, write: bool) -> None:
        number = self.clocks.tick(HOST)
        self.memory.touch(region, Access(HOST, number, write, low, high, "the host"))

    # graphs

    def begin_capture(self, stream: Stream) -> None:
        if stream.capture is not None:
            self.fault("a capture begins inside a capture")
        stream.capture = []

    def end_capture(self, stream: Stream) -> list[Template]:
        if stream.capture is None:
            self.fault("a capture ends that never began")
        templates, stream.capture = stream.capture, None
        assert templates is not None
        return templates

    def replay(self, templates: list[Template], stream: Stream) -> None:
        for template in templates:
            if stale := template.stale():
                self.fault(f"a graph is replayed after {stale}")
            self.queue(stream, template.what, template.run, template.touches)

    # time

    def _ready(self) -> list[Stream]:
        streams = (stream for stream in self.streams.values() if stream.queue)
        return [stream for stream in streams if all(need.done for need in stream.queue[0].needs)]

    def _run_any(self) -> None:
        assert self._random is not None
        if ready := self._ready():
            self._run(self._random.choice(ready).queue[0])

    def _run_until(self, wanted: Operation) -> None:
        if self._random is not None:
            while not wanted.done:
                self._run_any()
        self._run(wanted)

    def _run(self, wanted: Operation) -> None:
        """It, after what it needs, and nothing else."""
        stack = [wanted]
        while stack:
            operation = stack[-1]
            if waiting := [need for need in operation.needs if not need.done]:
                stack += waiting
                continue
            stack.pop()
            if not operation.done:
                self._take(operation)
                operation.done = True
                operation.needs = []
                self.order.append(operation.what)
                self.steps += operation.what not in ("an event", "a wait")
                operation.step = self.steps
                operation.run()

    def _take(self, operation: Operation) -> None:
        for stream in self.streams.values():
            if stream.queue and stream.queue[0] is operation:
                stream.queue.popleft()

    # the end

    def leaks(self) -> list[str]:
        """What a program left behind that says it is done."""
        left = [f"{region} was never freed" for region in self.memory.live]
        left += [f"{len(self.graphs)} graphs were never destroyed"] * bool(self.graphs)
        left += [f"{self.retained} times the primary context was never released"] * bool(self.retained)
        left += [f"{len(pushed)} contexts are still pushed" for pushed in self._pushed.values() if pushed]
        left += [f"{len(self.streams)} streams were never destroyed"] * bool(self.streams)
        left += [f"{len(self.events)} events were never destroyed"] * bool(self.events)
        return left + [f"work is still queued: {op.what}" for stream in self.streams.values() for op in stream.queue]
