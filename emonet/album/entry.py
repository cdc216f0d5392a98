"""What is kept of each photo of a folder: enough for its tables and its album, without the photo."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emonet.errors import OptionError
from emonet.prediction import PhotoResult


@dataclass(frozen=True, slots=True)
class Entry:
    """One photo: its place in the folder, what was said of it, and a small picture of it."""

    path: str  # below the folder, with slashes; bytes that are no text are written as \\xff
    width: int  # of the photo the right way up, in pixels; 0 where it cannot be read
    height: int
    result: PhotoResult  # whose source is `path`
    thumbnail: bytes = b""  # a JPEG; none where it cannot be read

    def __post_init__(self) -> None:
        if self.result.source != self.path:
            raise OptionError(f"the result of {self.path!r} is that of {self.result.source!r}")

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and tables, safe for json.dumps."""
        return {
            "size_wh": [self.width, self.height],
            "result": self.result.to_dict(),
            "thumbnail": b64encode(self.thumbnail).decode(),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Entry:
        """From what `to_dict` gave."""
        width, height = stored["size_wh"]
        path, result = stored["result"]["source"], PhotoResult.from_dict(stored["result"])
        return cls(path, width, height, result, b64decode(stored["thumbnail"]))
