"""A demo behind a real socket."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from edge_sr.demo.app import Limits
from edge_sr.demo.serve import Place, Show, address, application, listen, server
from edge_sr.device.power.recorder import Recorder

LIMITS = Limits(largest=128 * 128, most_bytes=2_000_000)


@contextmanager
def served(show: Show, place: Place | None = None, recorder: Recorder | None = None) -> Iterator[str]:
    """The address of a server that runs in a thread of its own."""
    place = (place or Place(port=0)).guarded()
    with listen(place) as listening, application(show, place, recorder=recorder or Recorder(None)) as app:
        running = server(app)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not running.started:
            time.sleep(0.01)
        yield address(place, listening)
        running.should_exit = True
        thread.join(10)
