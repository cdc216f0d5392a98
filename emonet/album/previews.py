"""Copies of photos that are large enough for a screen: what the album enlarges where a browser has no original.

The original lies elsewhere if the album is carried to another machine alone, and no browser shows HEIC or TIFF.
Previews are named after their photo and its last change, so that a changed photo has no old one.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path

from emonet.album.photos import PhotoFile
from emonet.atomic import write_atomically
from facecrop.images import Image, encode_jpeg, limit_size

SIDE = 1280  # pixels of the longer side
FOLDER = "album"  # in the folder of an album: what its page shows


def locate_preview(photo: PhotoFile) -> str:
    """Return the address of the preview of a photo, as the album's page reaches it."""
    made_from = os.fsencode(photo.name) + b"\0" + json.dumps(photo.stamp).encode()
    return f"{FOLDER}/{sha256(made_from).hexdigest()[:16]}.jpg"


def make_preview(image: Image) -> bytes:
    """Make the preview of a photo, as a JPEG."""
    return encode_jpeg(limit_size(image, SIDE))


def write_preview(album: Path, photo: PhotoFile, jpeg: bytes) -> None:
    """Write the preview of a photo into an album."""
    path = album / locate_preview(photo)
    path.parent.mkdir(exist_ok=True)
    with write_atomically(path) as temporary:
        temporary.write_bytes(jpeg)
