"""What may be given for an image beside arrays, Pillow images and bytes: paths and open files, and no URLs."""

from __future__ import annotations

import os
import re
from typing import Any

from facecrop._formats import UnreadableError

URL = re.compile(r"(https?|ftp|s3|gs|file|data):", re.IGNORECASE)


def prepare_source(source: Any, max_bytes: int) -> Any:
    """Return the bytes of an open file, read from where it stands, and anything else as it is; refuse URLs.

    Raises:
        UnreadableError: The source is a URL.
        TypeError: The file is open as text.
    """
    if isinstance(source, str | os.PathLike):
        if match := URL.match(str(source)):
            raise UnreadableError(f"a URL ({match[0]}...); nothing is read over the network: download it first")
        return source
    if not callable(getattr(source, "read", None)):
        return source
    data = source.read(max_bytes + 1)
    if not isinstance(data, bytes):
        raise TypeError(f"an open file must be opened in binary mode, 'rb': it gave {type(data).__name__}")
    return data
