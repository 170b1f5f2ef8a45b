"""A server on this machine that fails as told, and small archives of phantoms."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
import tarfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2

from edge_sr.image.phantom import chest_phantom


@dataclass
class Fault:
    """What goes wrong in one answer: an error status, a body that is cut or stalls, a strange header."""

    status: int = 0
    cut_after: int | None = None
    stall_s: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Offer:
    """One file of the server, and how it is served."""

    content: bytes
    etag: str = '"one"'
    last_modified: str = ""
    content_type: str = "application/gzip"
    ranges: bool = True
    heeds_if_range: bool = True
    length: bool = True  # else no Content-Length, and the end of the connection is the end of the file
    pause_s: float = 0.0  # between pieces of 16 KiB
    faults: list[Fault] = field(default_factory=list)  # one a request, until they are used up


@dataclass
class Request:
    path: str
    range: str | None
    if_range: str | None


class Shop:
    """The server: what it offers, by path, and what it was asked for."""

    def __init__(self) -> None:
        self.offers: dict[str, Offer] = {}
        self.requests: list[Request] = []
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                shop.requests.append(Request(self.path, self.headers["Range"], self.headers["If-Range"]))
                with contextlib.suppress(ConnectionError):  # the other side may leave in the middle
                    _answer(self, shop.offers.get(self.path))

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    def offer(self, path: str, content: bytes, **how: Any) -> str:
        """Offer content under path, and return its address."""
        self.offers[path] = Offer(content, **how)
        return self.url(path)


def _answer(handler: BaseHTTPRequestHandler, offer: Offer | None) -> None:
    if offer is None:
        handler.send_error(404)
        return
    fault = offer.faults.pop(0) if offer.faults else Fault()
    if fault.status:
        handler.send_response(fault.status)
        for name, value in {"Content-Length": "0", **fault.headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        return
    start = _start(handler, offer)
    if start >= len(offer.content):
        handler.send_response(416)
        handler.send_header("Content-Range", f"bytes */{len(offer.content)}")
        handler.end_headers()
        return
    _send(handler, offer, fault, start)


def _start(handler: BaseHTTPRequestHandler, offer: Offer) -> int:
    asked = re.fullmatch(r"bytes=(\d+)-", handler.headers["Range"] or "")
    condition = handler.headers["If-Range"]
    changed = condition is not None and condition not in (offer.etag, offer.last_modified)
    if asked is None or not offer.ranges or (changed and offer.heeds_if_range):
        return 0
    return int(asked[1])


def _send(handler: BaseHTTPRequestHandler, offer: Offer, fault: Fault, start: int) -> None:
    body = offer.content[start:]
    headers = {"Content-Type": offer.content_type}
    if offer.length:
        headers["Content-Length"] = str(len(body))
    if offer.etag:
        headers["ETag"] = offer.etag
    if offer.last_modified:
        headers["Last-Modified"] = offer.last_modified
    if start:
        headers["Content-Range"] = f"bytes {start}-{len(offer.content) - 1}/{len(offer.content)}"
    handler.send_response(206 if start else 200)
    for name, value in {**headers, **fault.headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    for i in range(0, len(body[: fault.cut_after]), 1 << 14):
        handler.wfile.write(body[: fault.cut_after][i : i + (1 << 14)])
        time.sleep(offer.pause_s)
    time.sleep(fault.stall_s)
    handler.close_connection = True


def pictures(first: int, count: int) -> dict[str, bytes]:
    """PNG files of phantoms under the names of the data set: {path: content}."""
    files = {}
    for i in range(first, first + count):
        files[f"images/{i:08d}_000.png"] = cv2.imencode(".png", chest_phantom(64, seed=i))[1].tobytes()
    return files


def packed(files: Mapping[str, bytes]) -> bytes:
    """A .tar.gz of files, with an entry for their folder as the real ones have it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        folder = tarfile.TarInfo("images")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def row(name: str, content: bytes, *urls: str, **changed: Any) -> dict[str, Any]:
    """One file of a list, with its true size and md5 unless changed."""
    true = {"bytes": len(content), "md5": hashlib.md5(content).hexdigest(), "sha256": None}
    return {"name": name, "urls": list(urls), **true, **changed}


def write_listing(path: Path, archives: list[dict[str, Any]], files: list[dict[str, Any]] | None = None) -> Path:
    fields = {"schema_version": 1, "name": "Phantoms", "page": "http://localhost/", "terms": "None."}
    path.write_text(json.dumps({**fields, "files": files or [], "archives": archives}))
    return path
