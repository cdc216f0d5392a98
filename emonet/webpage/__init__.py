"""A page that finds faces and reads expressions in the browser of whoever opens it, without a server."""

from __future__ import annotations

from emonet.webpage.webpage import write_webpage

__all__ = ["write_webpage"]
