"""Let in only what the app's own pages and its users ask for, before anything else sees a request.

- The Host header must mean this machine: no name of an attacker's can be made to (DNS rebinding).
- A request that another site's page sends is refused, as its Origin or Sec-Fetch-Site header says.
- Every address wants the user and the password, if there are any.
- Bodies end at the limit. What Gradio can do beyond what the app needs (proxies, downloads, its file server) is not
  there.
- No page may load anything from elsewhere, or be shown inside another site's.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from emonet.app.options import AppLimits, AppPlace

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

FORM_BYTES = 100_000  # of what stands around an upload in its form
PASSED_OVER = 4_000_000  # bytes of a refused body that are read for clients which listen only when they have sent all
PATIENCE_S = 2.0  # for these
MOST_FILES = 50  # in one upload of Gradio's, which are stored one by one and each have the limit

OURS = ("/predict", "/explain", "/frame", "/live", "/open/")
GRADIO = ("/config", "/theme.css", "/assets/", "/static/", "/favicon.ico", "/manifest.json", "/robots.txt")
GRADIO_API = (
    *("app_id", "info", "openapi.json", "upload", "upload_progress", "queue/join", "queue/data", "call/", "cancel"),
    *("reset", "heartbeat/", "startup-events", "theme.css"),
)
ALLOWED = (*OURS, *GRADIO, *(f"/gradio_api/{name}" for name in GRADIO_API))

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}

# Gradio's page makes its components of inline scripts and of functions that it compiles.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data:; "
    "frame-src 'self'; object-src 'none'; form-action 'self'; base-uri 'self'; frame-ancestors 'self'"
)


class TooLargeError(Exception):
    """A body has more bytes than are allowed."""


class Guard:
    """Wraps the whole app, as ASGI has it.

    Args:
        app: What answers the requests that are let in.
        place: Where the app is served and who may use it.
        limits: How much it takes.
    """

    def __init__(self, app: App, place: AppPlace, limits: AppLimits) -> None:
        self._app, self._place, self._limits = app, place, limits

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if refusal := self._refuse(scope, headers):
            if "expect" not in headers:  # else the client waits for our word before it sends
                await _pass_over(receive)
            await _send_refusal(send, *refusal)
            return
        body = _Body(receive, self._find_limit(scope))
        started = False

        async def send_more(message: Message) -> None:
            nonlocal started
            if not body.too_large:  # else what the app makes of it, such as a fault, is not sent
                started = True
                await send(_add_headers(message))

        with suppress(TooLargeError):
            await self._app(scope, body.receive, send_more)
        if body.too_large and not started:
            await _pass_over(receive)
            await _send_refusal(send, 413, self._too_large())

    def _refuse(self, scope: Message, headers: dict[str, str]) -> tuple[int, str] | None:
        """Return the status and the reason if a request is not let in."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._place.knows(host):
            return 403, "this app answers to its own address only (--name adds a name)"
        if origin is not None and origin.partition("://")[2] != host:
            return 403, "another page may not use this app"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and scope["method"] not in ("GET", "HEAD"):
            return 403, "another page may not use this app"
        if not self._place.admits(_read_credentials(headers.get("authorization", ""))):
            return 401, "a user and a password are asked for"
        path = scope["path"]
        if path != "/" and not path.startswith(ALLOWED):
            return 404, "there is nothing here"
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 15 or int(length) > self._find_limit(scope):
            return 413, self._too_large()
        return None

    def _find_limit(self, scope: Message) -> int:
        files = MOST_FILES if scope["path"].startswith("/gradio_api/upload") else 1
        return files * (self._limits.max_bytes + FORM_BYTES)

    def _too_large(self) -> str:
        return f"an upload has at most {self._limits.max_megabytes:g} MB"


class _Body:
    """Counts the bytes of a body, which may not say how long it is, or lie about it."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive, self._most, self._read = receive, most, 0

    @property
    def too_large(self) -> bool:
        return self._read > self._most

    async def receive(self) -> Message:
        message = await self._receive()
        self._read += len(message.get("body", b""))
        if self.too_large:
            raise TooLargeError
        return message


def _read_credentials(header: str) -> str:
    kind, _, text = header.partition(" ")
    if kind.lower() != "basic":
        return ""
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "backslashreplace")
    except binascii.Error:
        return ""


def _add_headers(message: Message) -> Message:
    if message["type"] != "http.response.start":
        return message
    sent = {name.lower() for name, _ in message["headers"]}
    more = {**HEADERS, "content-security-policy": POLICY}
    added = [(name.encode(), value.encode()) for name, value in more.items() if name.encode() not in sent]
    return {**message, "headers": [*message["headers"], *added]}


async def _pass_over(receive: Receive) -> None:
    """Read what a client still sends, within limits. One that has not sent all would see a broken connection."""
    left = PASSED_OVER
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body"):
                    return


async def _send_refusal(send: Send, status: int, reason: str) -> None:
    headers = {**HEADERS, "content-type": "application/json", "connection": "close"}
    if status == 401:
        headers["www-authenticate"] = 'Basic realm="emonet", charset="UTF-8"'
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": json.dumps({"error": reason}).encode()})
