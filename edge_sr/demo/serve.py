"""Serving the page until Ctrl-C: the socket, the models, the meter, and the address to open."""

from __future__ import annotations

import ipaddress
import secrets
import socket
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

import uvicorn

from edge_sr.demo.app import Demo, Limits
from edge_sr.demo.assets import LOCKED, read_assets
from edge_sr.demo.desk import Desk
from edge_sr.demo.folder import FolderPlan, FolderRun
from edge_sr.demo.gate import Application, Gate
from edge_sr.demo.offers import Models, offers_of
from edge_sr.device.power.find import find_meter
from edge_sr.device.power.recorder import Recorder
from edge_sr.errors import EnvironmentFault, UsageError
from edge_sr.image.sandbox import Decoder
from edge_sr.models.engines import Note, untold

LEAST_TOKEN = 8  # characters of one that a person chose; ours have 22
CONNECTIONS = 64  # at a time; more get 503
DECODE_S = 10.0


@dataclass(frozen=True)
class Place:
    """Where it is served. token: None asks for none, which loopback alone may do. names: more host names of ours."""

    host: str = "127.0.0.1"
    port: int = 8765
    token: str | None = None
    names: tuple[str, ...] = ()

    @property
    def loopback(self) -> bool:
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return self.host == "localhost"

    def guarded(self) -> Place:
        """With a token wherever one is needed. UsageError for one that is too short to guard anything."""
        if self.token is not None and (len(self.token) < LEAST_TOKEN or not self.token.isascii()):
            expected = f"{LEAST_TOKEN} ASCII characters or more"
            raise UsageError("is no good token", where="--token", expected=expected, hint="leave it out: one is made")
        if self.token is not None or self.loopback:
            return self
        return Place(self.host, self.port, secrets.token_urlsafe(16), self.names)


@dataclass(frozen=True)
class Show:
    """What is shown. models: words or folders. folder: makes the list of what a start has to do; None: no folder."""

    models: Sequence[str] = ("default", "fast")
    precision: str = "auto"
    threads: int | None = None
    limits: Limits = field(default_factory=Limits)
    folder: Callable[[], FolderPlan] | None = None
    overwrite: bool = False


@contextmanager
def application(
    show: Show, place: Place, *, note: Note = untold, recorder: Recorder | None = None
) -> Iterator[Application]:
    """Everything that is served, behind its gate. recorder: entered; None looks for a meter here.

    EnvironmentFault, IntegrityError, UsageError where a model cannot be had.
    """
    with ExitStack() as stack:
        if recorder is None:
            recorder = stack.enter_context(Recorder(find_meter().meter))
        thread = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="edge-sr demo"))
        desk = thread.submit(_desk, show, note).result()  # a GPU's context belongs to the thread that made it
        stack.callback(lambda: thread.submit(desk.close).result())
        thread.submit(desk.warm_up).result()
        folder = None if show.folder is None else FolderRun(show.folder, recorder, overwrite=show.overwrite)
        assets = read_assets()
        demo = Demo(desk, thread, assets, limits=show.limits, recorder=recorder, folder=folder)
        yield Gate(
            demo.application(),
            names=_names(place),
            loopback_only=place.loopback,
            token=place.token,
            locked=assets[LOCKED].content,
        )


def _desk(show: Show, note: Note) -> Desk:
    offers = offers_of(show.models, precision=show.precision, threads=show.threads, note=note)
    scale = max(offer.scale for offer in offers)
    # A truth, and a picture that is made smaller first, have as many pixels as a result.
    decoder = Decoder(max_pixels=show.limits.largest * scale * scale, colour="luma", seconds=DECODE_S)
    return Desk(Models(offers), decoder, largest=show.limits.largest)


def _names(place: Place) -> list[str]:
    own = (
        [] if place.loopback else [socket.gethostname(), f"{socket.gethostname()}.local", socket.getfqdn(), place.host]
    )
    return [name.lower() for name in ("localhost", *place.names, *own)]


def listen(place: Place) -> socket.socket:
    """EnvironmentFault where the port is taken or the address is none of this machine's."""
    host = place.host.strip("[]")
    try:
        family = socket.getaddrinfo(host, place.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, place.port), family=family, backlog=CONNECTIONS)
    except OSError as error:
        where = f"{place.host}:{place.port}"
        hint = "another --port, or --port 0 for any that is free"
        why = (error.strerror or str(error)).partition(" (")[0]  # behind it Python says the address once more
        raise EnvironmentFault(f"cannot listen ({why})", where=where, hint=hint) from error


def address(place: Place, listening: socket.socket) -> str:
    """What to open in a browser."""
    port = listening.getsockname()[1]
    host = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(place.host, place.host)
    shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"http://{shown}:{port}/" + (f"?token={place.token}" if place.token else "")


def server(app: Application) -> uvicorn.Server:
    """Without access logs: an address may hold the token."""
    config = uvicorn.Config(
        app,
        log_level="error",  # below that, a line for each request that is no HTTP
        access_log=False,
        server_header=False,
        ws="none",
        http="h11",
        loop="asyncio",
        lifespan="on",
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=3,
        h11_max_incomplete_event_size=16 << 10,
    )
    return uvicorn.Server(config)


def serve(
    show: Show, place: Place, *, tell: Callable[[str], None], note: Note = untold, open_browser: bool = False
) -> None:
    """Until Ctrl-C. tell: is given the address, where visitors may knock from then on."""
    place = place.guarded()
    with listen(place) as listening, application(show, place, note=note) as app:
        url = address(place, listening)
        tell(url)
        if open_browser:
            webbrowser.open(url)  # it waits in the socket's queue until the server runs
        with suppress(KeyboardInterrupt):  # that is how it is meant to end
            server(app).run(sockets=[listening])
