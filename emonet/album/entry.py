"""What an album keeps of a photo: enough for its tables and pages, without the photo."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from emonet.album.looks import Looks
from emonet.errors import ImageError, OptionError
from emonet.prediction import PhotoResult


@dataclass(frozen=True, slots=True)
class Entry:
    r"""A photo in an album.

    Attributes:
        path: The path below the folder of photos, with slashes; bytes that are no text are written as \xff.
        width: Of the upright photo, in pixels; 0 if the photo cannot be read.
        height: Of the upright photo, in pixels; 0 if the photo cannot be read.
        result: The predictions, rejections or error; its source is `path`.
        thumbnail: A small JPEG; empty if the photo cannot be read.
        looks: Crops of its faces, and what near copies are found by.
    """

    path: str
    width: int
    height: int
    result: PhotoResult
    thumbnail: bytes = b""
    looks: Looks = field(default_factory=Looks)

    def __post_init__(self) -> None:
        if self.result.source != self.path:
            raise OptionError(f"the result of {self.path!r} is that of {self.result.source!r}")

    def fail_copy(self, reason: str) -> Self:
        """Return the entry with the error that its annotated copy cannot be written."""
        error = ImageError(self.path, f"its annotated copy cannot be written: {reason}")
        return replace(self, result=PhotoResult(self.path, error=error))

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings, lists and dicts, safe for json.dumps."""
        return {
            "size_wh": [self.width, self.height],
            "result": self.result.to_dict(),
            "thumbnail": b64encode(self.thumbnail).decode(),
            "looks": self.looks.to_dict(),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Make an entry from what `to_dict` returned."""
        width, height = stored["size_wh"]
        result = PhotoResult.from_dict(stored["result"])
        thumbnail, looks = b64decode(stored["thumbnail"]), Looks.from_dict(stored["looks"])
        return cls(stored["result"]["source"], width, height, result, thumbnail, looks)
