"""The application behind the page: what is asked for by HTTP, done at the desk, one job at a time."""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from secrets import token_urlsafe
from typing import TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edge_sr import __version__
from edge_sr.demo.assets import INDEX, Asset
from edge_sr.demo.declined import Declined, status_of, told, unforeseen
from edge_sr.demo.desk import MOST_SAMPLES, Desk, Made, Picture
from edge_sr.demo.folder import FolderRun, energy
from edge_sr.demo.replies import made_reply, spread_reply, truth_reply
from edge_sr.demo.shelf import Shelf
from edge_sr.demo.turns import Turns
from edge_sr.demo.uploads import whole
from edge_sr.demo.words import flag, name_of, whole_number, wish_of
from edge_sr.device.facts import read_facts
from edge_sr.device.power.recorder import Recorder
from edge_sr.errors import EdgeSRError, EnvironmentFault
from edge_sr.pipeline import NOTICE
from edge_sr.timing import Phases

SEATS = 8  # requests that upload, wait or are at it
KEPT_PICTURES, KEPT_RESULTS = 12, 24
KEPT_BYTES = 48 << 20  # of each; the newest one stays even where it is larger

T = TypeVar("T")
Endpoint = Callable[["Demo", Request], Awaitable[Response]]


@dataclass(frozen=True)
class Limits:
    """largest: LR pixels of a picture. most_bytes: of an upload."""

    largest: int = 1 << 20
    most_bytes: int = 36_000_000  # a 16-bit truth of the largest picture, and room for metadata


class _Left(Exception):
    """Whoever asked is gone."""


def endpoint(answer: Endpoint) -> Endpoint:
    """Every error becomes a JSON document. Of an unforeseen one the terminal gets kind and place, and no content."""

    @wraps(answer)
    async def guarded(self: Demo, request: Request) -> Response:
        try:
            return await answer(self, request)
        except (_Left, ClientDisconnect):
            return Response(status_code=499)  # nobody reads it
        except EdgeSRError as error:
            return _error(error)
        except MemoryError:
            return _error(Declined(503, "there is too little memory for this picture", hint="a smaller picture"))
        except Exception as error:
            _tell_bug(error)
            return _error(unforeseen())

    return guarded


class Demo:
    """What the routes share.

    thread: the one that works at the desk. recorder: entered by the caller. folder: None where none is shown.
    """

    def __init__(
        self,
        desk: Desk,
        thread: Executor,
        assets: Mapping[str, Asset],
        *,
        limits: Limits = Limits(),
        recorder: Recorder | None = None,
        folder: FolderRun | None = None,
        seats: int = SEATS,
    ) -> None:
        self._desk, self._thread, self._assets, self._limits = desk, thread, assets, limits
        self._recorder, self._folder = recorder, folder
        self._turns = Turns(seats)
        self._pictures: Shelf[Picture] = Shelf("picture", most=KEPT_PICTURES, most_bytes=KEPT_BYTES)
        self._results: Shelf[Made] = Shelf("result", most=KEPT_RESULTS, most_bytes=KEPT_BYTES)
        self._folder_task: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    def application(self) -> Starlette:
        def route(path: str, answer: Endpoint, method: str = "GET") -> Route:
            return Route(path, partial(answer, self), methods=[method])

        api = [
            route("/api/about", Demo.about),
            route("/api/upscale", Demo.upscale, "POST"),
            route("/api/spread", Demo.spread, "POST"),
            route("/api/truth", Demo.truth, "POST"),
            route("/api/queue", Demo.queue),
            route("/api/results/{name}/picture.png", Demo.png),
            route("/api/results/{name}/provenance.json", Demo.provenance),
            route("/api/results/{name}/energy", Demo.energy),
            route("/api/folder", Demo.folder),
            route("/api/folder/start", Demo.start_folder, "POST"),
            route("/api/folder/stop", Demo.stop_folder, "POST"),
        ]
        pages = [route("/", Demo.asset), route("/{file}", Demo.asset)]
        return Starlette(routes=api + pages, exception_handlers={HTTPException: _http_error}, lifespan=self._lifespan)

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            if self._folder_task is not None:
                self._folder_task.cancel()

    async def _in_turn(self, request: Request, job: Callable[[], T]) -> T:
        """The job on the working thread, when its turn has come. _Left where whoever asked does not wait for it."""
        ticket = self._turns.join(name_of(request.query_params, "job") or token_urlsafe(8))
        gone = asyncio.ensure_future(_gone(request))
        try:
            await asyncio.wait({ticket.called, gone}, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                raise _Left
            return await asyncio.get_running_loop().run_in_executor(self._thread, job)
        finally:
            gone.cancel()
            self._turns.leave(ticket)

    async def _body(self, request: Request) -> bytes:
        declared = request.headers.get("content-length")
        return await whole(request.stream(), declared, most_bytes=self._limits.most_bytes)

    @endpoint
    async def asset(self, request: Request) -> Response:
        asset = self._assets.get(request.path_params.get("file", INDEX))
        if asset is None:
            raise Declined(404, "there is no such page")
        headers = {"etag": asset.tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == asset.tag:
            return Response(status_code=304, headers=headers)
        return Response(asset.content, media_type=asset.kind, headers=headers)

    @endpoint
    async def about(self, request: Request) -> Response:
        """What the page may ask for, and where it runs."""
        facts, meter = read_facts(), None if self._recorder is None else self._recorder.meter
        return _json(
            {
                "version": __version__,
                "notice": NOTICE,
                "machine": facts.board or facts.cpu_model or facts.machine,
                "models": [offer.to_json() for offer in self._desk.models.offers],
                "samples": MOST_SAMPLES,
                "largest_pixels": self._limits.largest,
                "most_bytes": self._limits.most_bytes,
                "meter": None if meter is None else {"name": meter.name, "covers": meter.covers},
                "folder": self._folder is not None,
            }
        )

    @endpoint
    async def upscale(self, request: Request) -> Response:
        """A picture (the body), one of before (?picture=) or a sample (?sample=), super-resolved as the words say."""
        words = request.query_params
        wish, known, sample = wish_of(words), name_of(words, "picture"), whole_number(words, "sample", 0, MOST_SAMPLES)
        reduce, result_only = flag(words, "reduce"), flag(words, "result_only")
        scale = self._desk.models.offer(wish.model).scale
        with self._turns.seat():
            content = await self._body(request)
            if not content and known is None and sample is None:
                raise Declined(400, "the file is empty", expected="a PNG, TIFF or JPEG")

            def job() -> Response:
                phases = Phases()
                if known is not None:
                    name, picture = known, self._pictures.take(known)
                else:
                    if sample is not None:
                        picture = self._desk.sample(sample, scale)
                    else:
                        picture = self._desk.picture(content, phases, reduce=reduce, scale=scale)
                    name = self._pictures.put(picture, picture.n_bytes)
                made = self._desk.upscale(picture, wish, phases)
                result = self._results.put(made, made.result.pixels.nbytes)
                return made_reply(picture, made, {"picture": name, "result": result}, result_only=result_only)

            return await self._in_turn(request, job)

    @endpoint
    async def spread(self, request: Request) -> Response:
        """How far samples of a picture of before lie apart."""
        wish, known = wish_of(request.query_params), name_of(request.query_params, "picture")
        with self._turns.seat():
            picture = self._pictures.take(known or "")
            return await self._in_turn(request, lambda: spread_reply(*self._desk.spread(picture, wish)))

    @endpoint
    async def truth(self, request: Request) -> Response:
        """The ground truth (the body) of a picture of before, against the result that is shown."""
        words = request.query_params
        known, result = name_of(words, "picture"), name_of(words, "result")
        with self._turns.seat():
            picture, made = self._pictures.take(known or ""), self._results.take(result or "")
            content = await self._body(request)

            def job() -> Response:
                better = self._desk.with_truth(picture, content, made)
                name = self._pictures.put(better, better.n_bytes)
                return truth_reply(better, made, {"picture": name})

            return await self._in_turn(request, job)

    @endpoint
    async def queue(self, request: Request) -> Response:
        """How many jobs come before one that waits; null for one that does not."""
        return _json({"before": self._turns.before(name_of(request.query_params, "job") or "")})

    @endpoint
    async def png(self, request: Request) -> Response:
        made = self._results.take(request.path_params["name"])
        content = await asyncio.get_running_loop().run_in_executor(None, made.png)
        return Response(content, media_type="image/png", headers=_DOWNLOAD)

    @endpoint
    async def provenance(self, request: Request) -> Response:
        made = self._results.take(request.path_params["name"])
        record = {
            **made.result.provenance,
            "created": made.created.isoformat(timespec="seconds"),
            "phases_ms": {name: round(ms, 3) for name, ms in made.phases_ms.items()},
        }
        return _json(record, headers=_DOWNLOAD)

    @endpoint
    async def energy(self, request: Request) -> Response:
        """What a result took. ready: whether the readings after it are there; null figures are "not available"."""
        made, recorder = self._results.take(request.path_params["name"]), self._recorder
        none = {"energy_j": None, "power_w": None, "readings": 0}
        if recorder is None or recorder.meter is None:
            return _json({"ready": True, **none})
        figures = energy(recorder, made.start_s, made.end_s)
        return _json({"ready": recorder.settled(made.end_s), **none, **figures})

    @endpoint
    async def folder(self, request: Request) -> Response:
        return _json(self._shown_folder().to_json())

    @endpoint
    async def start_folder(self, request: Request) -> Response:
        folder = self._shown_folder()
        async with self._starting:
            before = self._folder_task
            if before is not None and folder.state != "running":
                await asyncio.wait({before})  # it was stopped, and may be at its last picture
            await asyncio.get_running_loop().run_in_executor(None, folder.start)
            self._folder_task = asyncio.ensure_future(self._work_through(folder))
        return _json(folder.to_json())

    @endpoint
    async def stop_folder(self, request: Request) -> Response:
        self._shown_folder().stop()
        return _json(self._shown_folder().to_json())

    def _shown_folder(self) -> FolderRun:
        if self._folder is None:
            raise Declined(404, "no folder is shown here", hint="edge-sr demo --folder DIR")
        return self._folder

    async def _work_through(self, folder: FolderRun) -> None:
        """Picture by picture; a visitor's turn comes in between."""
        while (job := folder.next()) is not None:
            ticket = self._turns.join("folder")
            try:
                await ticket.called
                work = partial(self._one_of_folder, folder, *job)
                await asyncio.get_running_loop().run_in_executor(self._thread, work)
            finally:
                self._turns.leave(ticket)

    def _one_of_folder(self, folder: FolderRun, source: Path, target: Path) -> None:
        """One bad file never stops the rest; a fault of the machine (full disk) does, as it would fail all of them."""
        try:
            self._desk.file(source, target, overwrite=folder.overwrite)
            folder.ended(well=True)
        except EnvironmentFault as error:
            folder.ended(well=False)
            folder.stop(f"ended early: {error.what}")
        except EdgeSRError:
            folder.ended(well=False)
        except Exception as error:
            _tell_bug(error)
            folder.ended(well=False)
            folder.stop("ended early: something went wrong in edge-sr itself")


_DOWNLOAD = {"content-disposition": "attachment", "cache-control": "no-store"}


def _json(document: Mapping[str, object], *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse(document, status, headers={"cache-control": "no-store", **(headers or {})})


def _error(error: EdgeSRError) -> Response:
    status = status_of(error)
    # What may still be coming of an upload is not read: the connection ends instead.
    return _json(told(error), status=status, headers={"connection": "close"} if status in (408, 413, 503) else None)


def _http_error(request: Request, error: Exception) -> Response:
    """Starlette's own: no such path, or not with this method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    what = {404: "there is no such page", 405: "this cannot be asked for in this way"}.get(status, "is not understood")
    return _error(Declined(status, what))


def _tell_bug(error: Exception) -> None:
    """Kind and place alone: the words of an exception may quote a file's name or content."""
    if os.environ.get("EDGE_SR_DEBUG"):
        traceback.print_exception(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    print(f"error: {type(error).__name__} in {Path(frame.filename).name}:{frame.lineno}", file=sys.stderr)
    print("  this is a bug in edge-sr; EDGE_SR_DEBUG=1 shows more", file=sys.stderr)


async def _gone(request: Request) -> None:
    """Returns when the client has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
