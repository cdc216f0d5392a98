"""The app: a page on which photos, a camera and films are read, and `POST /predict`, served by one process.

`reader.py` reads uploads with a bounded queue; `guard.py` lets only the app's own pages and its users in; `routes.py`
answers requests for JSON, `live.py` the camera's page, `opened.py` hands out what earlier runs made. `page.py` puts the
tabs together with Gradio (`photo.py`, `film.py`), and `server.py` serves it all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emonet.lazy import import_when_used

if TYPE_CHECKING:
    from emonet.app.options import AppLimits, AppPlace
    from emonet.app.reader import PhotoReader
    from emonet.app.server import AppServer

__all__ = ["AppLimits", "AppPlace", "AppServer", "PhotoReader"]

__getattr__, __dir__ = import_when_used(
    __name__, {"options": ("AppLimits", "AppPlace"), "reader": ("PhotoReader",), "server": ("AppServer",)}
)
