"""edge_sr/demo/serve.py: where it listens, who needs a token, and requests over a real socket."""

from __future__ import annotations

import socket
import threading
import time

import httpx
import pytest

from edge_sr.demo.desk import Desk
from edge_sr.demo.serve import Place, Show, address, listen
from edge_sr.errors import EnvironmentFault, UsageError
from tests.demo.pictures import png
from tests.demo.serving import served


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("board", False)],
)
def test_all_but_loopback_gets_a_token(host: str, loopback: bool) -> None:
    place = Place(host).guarded()
    assert (place.token is None) == loopback
    assert loopback or len(place.token or "") >= 22


@pytest.mark.parametrize("token", ["", "short", "naïve-token"])
def test_a_token_that_guards_nothing_is_refused(token: str) -> None:
    with pytest.raises(UsageError, match="token"):
        Place(token=token).guarded()


def test_a_port_that_is_taken_is_told() -> None:
    with listen(Place(port=0)) as taken, pytest.raises(EnvironmentFault, match="cannot listen") as caught:
        listen(Place(port=taken.getsockname()[1]))
    assert "--port" in caught.value.hint


def test_the_address_holds_the_token() -> None:
    place = Place("::1", 0, "correct-horse")
    with listen(place) as listening:
        port = listening.getsockname()[1]
        assert address(place, listening) == f"http://[::1]:{port}/?token=correct-horse"


def test_with_a_token_a_browser_gets_in_once_and_stays(show: Show) -> None:
    with served(show, Place(port=0, token="correct-horse")) as url, httpx.Client() as browser:
        bare = url.partition("?")[0]
        assert browser.get(bare).status_code == 401
        assert browser.get(url).status_code == 200
        assert browser.get(f"{bare}api/about").status_code == 200
        assert httpx.get(f"{bare}api/about").status_code == 401


def test_two_at_once_stand_in_a_line(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    upscale = Desk.upscale
    with served(show) as url:
        monkeypatch.setattr(Desk, "upscale", lambda *args: (go.wait(20), upscale(*args))[1])
        answers: list[int] = []

        def ask(job: str) -> None:
            answers.append(httpx.post(f"{url}api/upscale?sample=0&job={job}", timeout=30).status_code)

        threads = [threading.Thread(target=ask, args=(job,)) for job in ("one", "two")]
        for thread, job in zip(threads, ("one", "two"), strict=True):
            thread.start()
            _until(lambda job=job: _before(url, job) is not None)
        assert [_before(url, job) for job in ("one", "two", "none")] == [0, 1, None]
        go.set()
        for thread in threads:
            thread.join(20)
        assert answers == [200, 200]


def test_who_hangs_up_while_waiting_leaves_the_line(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    upscale = Desk.upscale
    with served(show) as url:
        monkeypatch.setattr(Desk, "upscale", lambda *args: (go.wait(20), upscale(*args))[1])
        first = threading.Thread(target=lambda: httpx.post(f"{url}api/upscale?sample=0&job=one", timeout=30))
        first.start()
        _until(lambda: _before(url, "one") == 0)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{url}api/upscale?sample=0&job=two", timeout=0.3)
        _until(lambda: _before(url, "two") is None)
        go.set()
        first.join(20)
        assert httpx.post(f"{url}api/upscale", content=png(), timeout=30).status_code == 200


def test_an_upload_that_is_declared_too_large_is_not_read(show: Show) -> None:
    with served(show) as url:
        host, port = httpx.URL(url).host, httpx.URL(url).port
        with socket.create_connection((host, port), 10) as connection:
            head = f"POST /api/upscale HTTP/1.1\r\nHost: {host}\r\nContent-Length: 99999999999\r\n\r\n"
            connection.sendall(head.encode())
            assert b" 413 " in connection.recv(4096).split(b"\r\n")[0]


def _before(url: str, job: str) -> int | None:
    return httpx.get(f"{url}api/queue?job={job}").json()["before"]


def _until(true: object) -> None:
    deadline = time.monotonic() + 20
    while not true() and time.monotonic() < deadline:  # type: ignore[operator]
        time.sleep(0.02)
    assert true()  # type: ignore[operator]
