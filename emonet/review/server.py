"""The page of a review, served to the browsers of this machine alone.

The server listens on loopback. An address holds a token that nobody can guess, so that other users of the machine and
other pages in the browser cannot read or decide anything; the Host header is checked, so that no name of an attacker's
can be made to mean this machine. Nothing is loaded from elsewhere.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from emonet.errors import EmonetError, OptionError
from emonet.review.corrections import CORRECTIONS, format_corrections
from emonet.review.crops import CropFile
from emonet.review.decisions import ConflictError
from emonet.review.originals import Originals
from emonet.review.page import describe_review, render_review
from emonet.review.review import Review

LOOPBACK = "127.0.0.1"
LONGEST_BODY = 10_000  # bytes of a decision
FOREVER = "private, max-age=31536000, immutable"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "frame-ancestors 'none'",  # the rest stands in the page
}

Query = dict[str, str]


class ReviewServer(ThreadingHTTPServer):
    """Serve a review until it is shut down.

    Args:
        review: The review.
        port: Where to listen; a free port if 0.

    Examples:
        Serve a review from Python, until Ctrl-C::

            with ReviewServer(open_review(open_store("merged"), Path("merged-review"))) as server:
                print(server.address)
                server.serve_forever()
    """

    daemon_threads = True

    def __init__(self, review: Review, port: int = 0) -> None:
        self.review = review
        self.crops: CropFile = review.open_crops()
        self.originals = Originals(review.store)
        self.token = secrets.token_urlsafe(16)
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except (OSError, OverflowError) as error:
            raise OptionError(f"port {port} cannot be listened on: {error}; 0 takes a free one") from error

    @property
    def address(self) -> str:
        """The address of the page, token and all."""
        return f"http://{LOOPBACK}:{self.server_port}/{self.token}/"

    @property
    def hosts(self) -> tuple[str, ...]:
        """The Host headers that are answered."""
        return tuple(f"{name}:{self.server_port}" for name in (LOOPBACK, "localhost"))

    @cached_property
    def page(self) -> str:
        """The page without its data."""
        return render_review(self.review)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of browsers that hang up while they are answered; show all other errors."""
        import sys

        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: ReviewServer
    protocol_version = "HTTP/1.1"  # one connection for many requests
    timeout = 60  # seconds that a silent connection holds a thread

    def do_GET(self) -> None:
        self._answer(
            {
                "": lambda _: self._send(self.server.page, "text/html; charset=utf-8"),
                "data.json": self._send_data,
                "sheet.jpg": self._send_sheet,
                "crop.png": lambda query: self._send(
                    self.server.crops.read(_number(query["face"])), "image/png", FOREVER
                ),
                "frame.jpg": self._send_frame,
                "decisions.json": self._send_decisions,
                CORRECTIONS: self._send_corrections,
            }
        )

    def do_POST(self) -> None:
        self._answer({"decide": self._decide})

    def log_message(self, *_: Any) -> None:
        """Say nothing of single requests."""

    def _answer(self, routes: dict[str, Callable[[Query], None]]) -> None:
        address = urlsplit(self.path)
        _, token, *rest = address.path.split("/")
        route = routes.get("/".join(rest)) if rest else None
        if address.path == "/favicon.ico":
            self._send(b"", "image/x-icon", FOREVER, status=HTTPStatus.NO_CONTENT)
        elif self.headers.get("Host", "") not in self.server.hosts:
            self._refuse(HTTPStatus.FORBIDDEN, "this server answers to its own address only")
        elif not secrets.compare_digest(token.encode(), self.server.token.encode()) or route is None:
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here")
        else:
            try:
                route({name: values[-1] for name, values in parse_qs(address.query).items()})
            except (EmonetError, KeyError) as error:
                self._refuse(HTTPStatus.BAD_REQUEST, str(error))

    def _send_data(self, _: Query) -> None:
        self._send_json({**describe_review(self.server.review), "cell": self.server.crops.cell})

    def _send_sheet(self, query: Query) -> None:
        faces = [_number(text) for text in query["faces"].split(",")]
        self._send(self.server.crops.make_sheet(faces), "image/jpeg", FOREVER)

    def _send_frame(self, query: Query) -> None:
        sequences = self.server.review.faces.sequences
        number, place = _number(query["sequence"]), _number(query["place"])
        if number >= len(sequences) or place >= len(sequences[number].frames):
            raise OptionError("there is no such frame")
        self._send(self.server.originals.read(sequences[number], place), "image/jpeg", FOREVER)

    def _send_decisions(self, query: Query) -> None:
        self._send_json(self.server.review.decisions.since(_number(query["after"])))

    def _send_corrections(self, _: Query) -> None:
        text = format_corrections(self.server.review.corrections().items())
        self._send(text, "text/csv; charset=utf-8", attachment=CORRECTIONS)

    def _decide(self, _: Query) -> None:
        asked = self._read_json()
        key, kind, value, expected = (asked.get(name) for name in ("key", "kind", "value", "expected"))
        if not (isinstance(key, str) and isinstance(kind, str) and isinstance(value, str)):
            raise OptionError("a decision has a key, a kind and a value")
        try:
            made = self.server.review.decide(key, "onset" if kind == "onset" else "label", value, expected)
        except ConflictError as error:
            self._send_json({"conflict": error.value}, HTTPStatus.CONFLICT)
        else:
            self._send_json({"decision": made})

    def _read_json(self) -> dict[str, Any]:
        """Read the body of a request. Other pages cannot send JSON without being asked first, which this refuses."""
        length = self.headers.get("Content-Length", "")
        if self.headers.get_content_type() != "application/json" or not length.isdecimal():
            self.close_connection = True  # what was sent is not read
            raise OptionError("a decision is sent as JSON")
        if int(length) > LONGEST_BODY:
            self.close_connection = True
            raise OptionError(f"a decision has at most {LONGEST_BODY} bytes")
        try:
            body = json.loads(self.rfile.read(int(length)))
        except ValueError as error:
            raise OptionError(f"a decision is JSON: {error}") from error
        if not isinstance(body, dict):
            raise OptionError("a decision is a JSON object")
        return body

    def _send_json(self, value: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(json.dumps(value, separators=(",", ":")), "application/json", status=status)

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        if self.command == "POST":
            self.close_connection = True
        self._send(reason, "text/plain; charset=utf-8", status=status)

    def _send(
        self,
        content: str | bytes,
        kind: str,
        cache: str = "no-store",
        *,
        status: HTTPStatus = HTTPStatus.OK,
        attachment: str = "",
    ) -> None:
        body = content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace")
        self.send_response(status)
        headers = {**HEADERS, "Content-Type": kind, "Content-Length": str(len(body)), "Cache-Control": cache}
        if attachment:
            headers["Content-Disposition"] = f'attachment; filename="{attachment}"'
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 12:
        raise OptionError(f"a whole number is asked for, got {text[:20]!r}")
    return int(text)
