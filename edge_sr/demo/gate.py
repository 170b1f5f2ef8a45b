"""Who gets in, and what every answer says to the browser. It stands before the application and knows nothing of it.

- Host: a name that is ours, or an address in figures. A page of another site that has its name resolve to this machine
  (DNS rebinding) comes with that site's name and is turned away.
- Origin: what changes or computes something (POST) must come from our own page, or from no browser at all.
- Token: where one is set, by ?token= once, then by a cookie that scripts cannot read and other sites cannot send.
"""

from __future__ import annotations

import ipaddress
import json
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from edge_sr.demo.declined import Declined, told

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_HOST = re.compile(r"(?P<name>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_SECURITY: Headers = [
    (b"content-security-policy", b"default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
     b"object-src 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
]  # fmt: skip


class Gate:
    """ASGI in front of ASGI.

    names: host names that are ours, in lower case. loopback_only: of addresses in figures only those of this machine
    itself count. token: None asks for none. locked: the page, in HTML, for a browser without the token.
    """

    def __init__(
        self,
        app: Application,
        *,
        names: Iterable[str] = ("localhost",),
        loopback_only: bool = True,
        token: str | None = None,
        locked: bytes = b"",
    ) -> None:
        self._app, self._names, self._loopback_only = app, frozenset(names), loopback_only
        self._token, self._locked = token, locked
        self._pass = secrets.token_urlsafe(32)  # what the cookie holds: it ends with this process

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers: list[tuple[bytes, bytes]] = list(_SECURITY)
        try:
            if self._lets_in(scope):
                headers.append((b"set-cookie", self._cookie(scope)))
        except Declined as declined:
            await self._turn_away(scope, declined, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *headers]
            await send(message)

        await self._app(scope, receive, with_headers)

    def _lets_in(self, scope: Scope) -> bool:
        """True where it came with the token just now, so that it gets the cookie. Declined for whom it keeps out."""
        headers = _by_name(scope)
        host = self._checked_host(headers)
        if scope["method"] not in ("GET", "HEAD"):
            _check_origin(headers, host)
        if self._token is None:
            return False
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if secrets.compare_digest(given.encode("utf-8", "replace"), self._token.encode()):
            return True
        if not secrets.compare_digest(_cookie_of(headers, _cookie_name(scope)).encode(), self._pass.encode()):
            what = "this page asks for its token"
            raise Declined(401, what, hint="open the address that edge-sr demo printed, with ?token=", code="token")
        return False

    def _checked_host(self, headers: Mapping[str, list[str]]) -> str:
        """The Host header. Declined where it is none of ours."""
        hosts = headers.get("host", [])
        found = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if found is None or not self._is_ours(found["name"].lower().rstrip(".")):
            raise Declined(
                421, "this server does not go by that name", expected="the address that edge-sr demo printed"
            )
        return hosts[0]

    def _is_ours(self, name: str) -> bool:
        try:
            address = ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return name in self._names
        return address.is_loopback or not self._loopback_only

    def _cookie(self, scope: Scope) -> bytes:
        return f"{_cookie_name(scope)}={self._pass}; Path=/; HttpOnly; SameSite=Strict".encode()

    async def _turn_away(self, scope: Scope, declined: Declined, send: Send) -> None:
        html = declined.code == "token" and scope["path"] == "/" and self._locked
        body = self._locked if html else json.dumps(told(declined)).encode()
        kind = b"text/html; charset=utf-8" if html else b"application/json"
        headers = [
            (b"content-type", kind),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        # What it may be uploading is not read: the connection ends instead.
        headers += [(b"connection", b"close"), *_SECURITY]
        await send({"type": "http.response.start", "status": declined.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _by_name(scope: Scope) -> dict[str, list[str]]:
    headers: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return headers


def _check_origin(headers: Mapping[str, list[str]], host: str) -> None:
    """Every browser sends Origin with a POST; what sends none is no browser and can forge nothing for one."""
    origins = headers.get("origin", [])
    sites = headers.get("sec-fetch-site", [])
    same = all(origin.partition("://")[2].lower() == host.lower() for origin in origins)
    if not same or len(origins) > 1 or not all(site in ("same-origin", "none") for site in sites):
        raise Declined(403, "this did not come from the demo's own page", expected=f"Origin http://{host}")


def _cookie_name(scope: Scope) -> str:
    """With the port: browsers do not keep cookies of two ports of one machine apart."""
    server = scope.get("server") or ("", 0)
    return f"edge_sr_demo_{server[1]}"


def _cookie_of(headers: Mapping[str, list[str]], name: str) -> str:
    try:
        cookies = SimpleCookie("; ".join(headers.get("cookie", [])))
    except CookieError:
        return ""
    return cookies[name].value if name in cookies else ""
