"""edge_sr/demo/gate.py: host names, origins, tokens, and what every answer says to the browser."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from edge_sr.demo.gate import Gate, Receive, Scope, Send

TOKEN = "correct-horse"


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"hello"})


class Answer:
    """Of a gate to one request; headers by name, the last one counts."""

    def __init__(self, gate: Gate, method: str = "GET", path: str = "/", query: str = "", **headers: str) -> None:
        self.messages: list[Any] = []
        named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": named}

        async def receive() -> dict[str, object]:
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            self.messages.append(message)

        asyncio.run(gate({**scope, "server": ("127.0.0.1", 8765)}, receive, send))
        self.status = self.messages[0]["status"]
        self.headers = {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}
        self.body = self.messages[1]["body"]


@pytest.mark.parametrize("host", ["localhost:8765", "LOCALHOST", "127.0.0.1:9000", "127.1.2.3", "[::1]:8765"])
def test_this_machine_is_known_by_its_names(host: str) -> None:
    assert Answer(Gate(hello), host=host).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "192.168.0.7:8765", "", "a b", "x@127.0.0.1"]
)
def test_a_page_whose_name_was_made_to_point_here_is_turned_away(host: str) -> None:
    answer = Answer(Gate(hello), host=host)
    assert answer.status == 421 and "name" in json.loads(answer.body)["error"]["what"]


def test_a_request_needs_exactly_one_host() -> None:
    assert Answer(Gate(hello)).status == 421


def test_elsewhere_addresses_in_figures_and_own_names_count() -> None:
    gate = Gate(hello, names=("board.local",), loopback_only=False)
    hosts = ["192.168.0.7:8765", "board.local", "[fe80::1]", "evil.example"]
    assert [Answer(gate, host=host).status for host in hosts] == [200, 200, 200, 421]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),  # no browser
        ({"origin": "http://localhost:8765"}, 200),
        ({"origin": "http://localhost:9999"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"origin": "http://localhost:8765", "sec_fetch_site": "same-origin"}, 200),
    ],
)
def test_only_our_own_page_may_post(headers: dict[str, str], status: int) -> None:
    assert Answer(Gate(hello), "POST", "/api/upscale", host="localhost:8765", **headers).status == status


def test_without_the_token_nobody_gets_in() -> None:
    gate = Gate(hello, token=TOKEN, locked=b"<h1>locked</h1>")
    page, call = Answer(gate, host="localhost"), Answer(gate, path="/api/about", host="localhost")
    assert (page.status, page.body, page.headers["content-type"]) == (
        401,
        b"<h1>locked</h1>",
        "text/html; charset=utf-8",
    )
    assert call.status == 401 and "token" in json.loads(call.body)["error"]["what"]
    assert Answer(gate, query="token=wrong", host="localhost").status == 401


def test_the_token_gives_a_cookie_that_opens_from_then_on() -> None:
    gate = Gate(hello, token=TOKEN)
    cookie = Answer(gate, query=f"token={TOKEN}", host="localhost").headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and TOKEN not in cookie
    again = Answer(gate, path="/api/about", host="localhost", cookie=cookie.partition(";")[0])
    assert again.status == 200 and "set-cookie" not in again.headers
    assert Answer(Gate(hello, token=TOKEN), host="localhost", cookie=cookie.partition(";")[0]).status == 401


@pytest.mark.parametrize("host", ["localhost", "evil.example"])
def test_every_answer_holds_the_browser_to_this_host(host: str) -> None:
    headers = Answer(Gate(hello), host=host).headers
    assert headers["content-security-policy"].startswith("default-src 'self';")
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
