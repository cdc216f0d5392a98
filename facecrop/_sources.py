"""What may be given for an image beside arrays, Pillow images and bytes: paths and open files, and no URLs."""

from __future__ import annotations

import os
import re
from typing import Any

from facecrop._formats import UnreadableError

URL = re.compile(r"(https?|ftp|s3|gs|file|data):", re.IGNORECASE)


def find_url(path: str | os.PathLike[str]) -> str:
    """Return the scheme of a URL, such as `https:`; nothing for a path."""
    match = URL.match(str(path))
    return match[0] if match else ""


def prepare_source(source: Any, max_bytes: int) -> Any:
    """Return the bytes of an open file, read from where it stands, and anything else as it is; refuse URLs.

    Raises:
        UnreadableError: The source is a URL.
        TypeError: The file is open as text.
    """
    if isinstance(source, str | os.PathLike):
        if scheme := find_url(source):
            raise UnreadableError(f"a URL ({scheme}...); nothing is read over the network: download it first")
        return source
    if not callable(getattr(source, "read", None)):
        return source
    data = source.read(max_bytes + 1)
    if not isinstance(data, bytes):
        raise TypeError(f"an open file must be opened in binary mode, 'rb': it gave {type(data).__name__}")
    return data
