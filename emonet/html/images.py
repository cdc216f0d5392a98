"""Images inside a page, as data URIs."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from facecrop.images import Image, encode_jpeg


@dataclass(frozen=True, slots=True)
class EmbeddedImage:
    """An image that a page holds; the style says how large it is where it has no size."""

    source: str  # a data URI
    width: int | None = None
    height: int | None = None


def embed_pixels(image: Image) -> EmbeddedImage:
    """Embed an image in RGB or grey, (height, width, channels)."""
    height, width = image.shape[:2]
    return EmbeddedImage(_data_uri("jpeg", encode_jpeg(image)), width, height)


def embed_jpeg(data: bytes) -> EmbeddedImage:
    """Embed the bytes of a JPEG file."""
    return EmbeddedImage(_data_uri("jpeg", data))


def embed_png(path: Path) -> EmbeddedImage:
    """Embed a PNG file, whose header says how large it is."""
    data = path.read_bytes()
    width, height = (int.from_bytes(data[place : place + 4]) for place in (16, 20))
    return EmbeddedImage(_data_uri("png", data), width, height)


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
