"""The app: a page on which photos, a camera and films are read, and `POST /predict`, served by one process.

`reader.py` reads uploads with a bounded queue; `guard.py` lets only the app's own pages and its users in; `routes.py`
answers requests for JSON, `live.py` the camera's page, `opened.py` hands out what earlier runs made. `page.py` puts the
tabs together with Gradio (`photo.py`, `film.py`), and `server.py` serves it all.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emonet.app.options import AppLimits, AppPlace
    from emonet.app.reader import PhotoReader
    from emonet.app.server import AppServer

__all__ = ["AppLimits", "AppPlace", "AppServer", "PhotoReader"]

_PLACES = {"AppLimits": "options", "AppPlace": "options", "AppServer": "server", "PhotoReader": "reader"}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: the command line reads the options alone."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"emonet.app.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
