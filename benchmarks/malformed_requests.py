"""Requests that no browser sends, as bytes for a socket: broken HTTP, impossible words, and pictures that are none."""

from __future__ import annotations

import random
import socket
import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np

from edge_sr.image.png import encode_png

HOST = "localhost"
PATIENCE_S = 15.0  # for an answer; the server gives up a stalled upload later than that
PATHS = ("/", "/api/about", "/api/upscale", "/api/spread", "/api/truth", "/api/queue", "/api/folder/start", "/app.js")

Make = Callable[[random.Random], bytes]


def malformed(count: int, seed: int = 0) -> Iterator[tuple[bytes, bool]]:
    """So many of them, each kind in turn; and whether it promises more than it holds."""
    rng = random.Random(seed)
    for number in range(count):
        make = KINDS[number % len(KINDS)]
        yield make(rng), make in UNFINISHED


def send(content: bytes, unfinished: bool, host: str, port: int) -> bytes:
    """The first line of the answer; b"" where the server just hangs up."""
    with socket.create_connection((host, port), PATIENCE_S) as connection:
        try:
            connection.sendall(content)
            if unfinished:
                connection.shutdown(socket.SHUT_WR)
            return connection.recv(65536).split(b"\r\n")[0]
        except OSError:
            return b""


def _request(
    method: str, path: str, body: bytes = b"", *, host: str = HOST, length: int | None = None, more: str = ""
) -> bytes:
    size = len(body) if length is None else length
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {size}\r\n{more}\r\n".encode("latin-1") + body


def _noise(rng: random.Random) -> bytes:
    return rng.randbytes(rng.randrange(1, 4000))


def _broken_line(rng: random.Random) -> bytes:
    return rng.choice([b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n\r\n\r\n", b"GET /\0 HTTP/1.1\r\n\r\n", b"{}"])


def _long_header(rng: random.Random) -> bytes:
    return _request("GET", "/", more=f"X-{'a' * rng.randrange(9, 60)}: {'b' * rng.randrange(10_000, 200_000)}\r\n")


def _odd_path(rng: random.Random) -> bytes:
    parts = ["..", "%2e%2e", "%00", "etc", "passwd", "%ff", "api", "results", "a" * 300, "%", ";", "\\", "~"]
    return _request("GET", "/" + "/".join(rng.choices(parts, k=rng.randrange(1, 6))))


def _odd_method(rng: random.Random) -> bytes:
    return _request(rng.choice(["PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "CONNECT", "X" * 50]), rng.choice(PATHS))


def _odd_words(rng: random.Random) -> bytes:
    names = ["seed", "fidelity", "steps", "model", "sample", "picture", "result", "reduce", "job", "truth", "token"]
    values = ["-1", "nan", "1e999", "%00", "%F0%9F%92%A9", "9" * 80, "../..", "", "true", "[]", "'--", "<b>"]
    words = "&".join(f"{rng.choice(names)}={rng.choice(values)}" for _ in range(rng.randrange(1, 6)))
    return _request("POST", f"{rng.choice(PATHS)}?{words}", b"x" * rng.randrange(0, 40))


def _odd_host(rng: random.Random) -> bytes:
    return _request("POST", "/api/upscale?sample=0", host=rng.choice(["evil.example", "", "a b", "localhost:99999999"]))


def _foreign_origin(rng: random.Random) -> bytes:
    origin = rng.choice(["null", "https://evil.example", "http://localhost.evil.example", "%", "http://localhost, x"])
    return _request("POST", "/api/upscale?sample=0", more=f"Origin: {origin}\r\n")


def _wrong_length(rng: random.Random) -> bytes:
    return _request("POST", "/api/upscale", b"x" * 100, length=rng.choice([-5, 101, 10**6, 10**15, 99]))


def _odd_chunks(rng: random.Random) -> bytes:
    body = rng.choice([b"zz\r\nabc\r\n0\r\n\r\n", b"ffffffffff\r\nabc", b"-1\r\n\r\n", b"3\r\nabc\r\n"])
    return b"POST /api/upscale HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + body


def _damaged_picture(rng: random.Random) -> bytes:
    content = bytearray(encode_png(np.full((64, 64), 128, np.uint8), text={}))
    for _ in range(rng.randrange(1, 9)):
        content[rng.randrange(len(content))] = rng.randrange(256)
    return _request("POST", "/api/upscale", bytes(content[: rng.randrange(9, len(content) + 1)]))


def _bomb(rng: random.Random) -> bytes:
    """A few bytes that claim to be a huge picture."""
    side = rng.choice([20_000, 65_535, 2**31 - 1, 0])
    header = struct.pack(">IIBBBBB", side, side, 8, rng.choice([0, 2, 3, 6]), 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1 << 20))), (b"IEND", b"")]
    chunks = (struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in parts)
    return _request(
        "POST", rng.choice(["/api/upscale", "/api/upscale?reduce=1"]), b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
    )


def _other_file(rng: random.Random) -> bytes:
    begin = rng.choice(
        [b"II*\0", b"MM\0*", b"II+\0", b"\xff\xd8\xff\xe0", b"%PDF-1.7", b"PK\3\4", b"\0" * 128 + b"DICM", b"<svg"]
    )
    return _request("POST", "/api/upscale", begin + rng.randbytes(rng.randrange(0, 3000)))


KINDS: tuple[Make, ...] = (
    _noise,
    _broken_line,
    _long_header,
    _odd_path,
    _odd_method,
    _odd_words,
    _odd_host,
    _foreign_origin,
    _wrong_length,
    _odd_chunks,
    _damaged_picture,
    _bomb,
    _other_file,
)
UNFINISHED = (_noise, _broken_line, _wrong_length, _odd_chunks)
