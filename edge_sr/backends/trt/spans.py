"""Begin and end of the parts of a picture's way, as CUDA events on its streams.

The end of a part is what the next one waits for, so it is there in any case. A time takes a begin beside it and time
stamps in both, which cost the GPU some hundred nanoseconds an event and the host one more call a part. None of these
events is inside a CUDA graph: a graph holds the launches of the inference alone, and an event recorded in one has no
time (CUDA Driver API, cuEventElapsedTime).
"""

from __future__ import annotations

from typing import Any


class Span:
    """One of "copy_in", "compute", "copy_out". timed: whether its time is taken; ``ms`` and ``since`` need that."""

    def __init__(self, cuda: Any, *, timed: bool) -> None:
        """Inside ``with gpu``."""
        flags = cuda.event_flags
        self.begun = cuda.Event(flags.DEFAULT) if timed else None
        self.ended = cuda.Event(flags.DEFAULT if timed else flags.DISABLE_TIMING)

    def begin(self, stream: Any) -> None:
        """After the stream was told to wait for the part before: else the waiting counts as well."""
        if self.begun is not None:
            self.begun.record(stream)

    def end(self, stream: Any) -> None:
        self.ended.record(stream)

    def ms(self) -> float:
        """How long it took. Only once its end was waited for."""
        return float(self.ended.time_since(self.begun))

    def since(self, origin: Any) -> tuple[float, float]:
        """Begin and end in ms after the event ``origin``. Only once its end was waited for."""
        assert self.begun is not None, "its time is not taken"
        return float(self.begun.time_since(origin)), float(self.ended.time_since(origin))
