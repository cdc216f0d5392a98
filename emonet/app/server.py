"""Serve the app: one process, in front of which stands the guard."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from emonet.app.guard import Guard
from emonet.app.opened import OpenedFolders
from emonet.app.options import AppPlace
from emonet.app.reader import PhotoReader
from emonet.errors import OptionError
from facecrop.packages import importing

EXTRA = "emonet[app]"
CLOSING_S = 2  # seconds that open requests have when the app ends

# Gradio and what it imports shall neither report anything nor ask anybody.
QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_RUN_HISTORY": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
}


class AppServer:
    """Serves the app until it is stopped. Leave its context, and nothing of the uploads is left.

    Args:
        reader: What reads photos.
        place: Where the app is served, and to whom.
        folders: What earlier runs made, to be opened.

    Attributes:
        cache: The folder in which uploads lie until they are read.

    Raises:
        OptionError: The place cannot be listened on.
        MissingFileError: There is no such folder.
        MissingPackageError: Gradio is not installed.

    Examples:
        Serve the app from Python, until Ctrl-C::

            with AppServer(PhotoReader(EmotionPredictor())) as server:
                print(server.address)
                server.serve()
    """

    def __init__(self, reader: PhotoReader, place: AppPlace | None = None, folders: Sequence[Path] = ()) -> None:
        self.place = place or AppPlace()
        self.reader = reader
        self._opened = OpenedFolders(folders)
        with ExitStack() as closing:
            self.cache = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="emonet-app-")))
            self._socket = closing.enter_context(_listen(self.place))
            self._server = self._prepare()
            self._closing = closing.pop_all()  # nothing has failed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def address(self) -> str:
        """The address of the page."""
        host = socket.gethostname() if self.place.everywhere else self.place.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self._socket.getsockname()[1]}/"

    def serve(self) -> None:
        """Answer requests until Ctrl-C, or until `stop` is called. In the main thread SIGTERM ends it like Ctrl-C."""
        with _ending_on_terminate():
            self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Let `serve` end."""
        self._server.should_exit = True

    def close(self) -> None:
        """Close the port, and remove what uploads have left."""
        self._closing.close()

    def _prepare(self) -> Any:
        os.environ.update(QUIET, GRADIO_TEMP_DIR=str(self.cache))  # read when Gradio is imported and set up
        with importing("the app", EXTRA):
            import fastapi
            import uvicorn

            from emonet.app.page import AppPage, mount_page
            from emonet.app.routes import make_routes
        app = fastapi.FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
        app.router.routes.extend(make_routes(self.reader, self._opened))
        blocks = AppPage(self.reader, self._opened, self.cache).build()
        mounted = mount_page(app, blocks, self.reader.limits.max_bytes)
        return uvicorn.Server(
            uvicorn.Config(
                Guard(mounted, self.place, self.reader.limits),
                log_level="warning",
                access_log=False,
                ws="none",
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=CLOSING_S,
            )
        )


@contextmanager
def _ending_on_terminate() -> Iterator[None]:
    """Let SIGTERM end the app like Ctrl-C: it would end the process before uploads are removed."""
    if threading.current_thread() is not threading.main_thread():
        yield  # which signals do not reach
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _listen(place: AppPlace) -> socket.socket:
    try:
        kind = socket.AF_INET6 if ":" in place.host else socket.AF_INET
        return socket.create_server((place.host, place.port), family=kind, backlog=128)
    except OSError as error:
        raise OptionError(
            f"{place.host}, port {place.port} cannot be listened on: {error.strerror or error}; port 0 takes a free one"
        ) from error
