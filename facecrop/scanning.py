"""Finding the faces of many photos while memory stays flat: pictures are read and let go a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from facecrop.detectors.protocol import Detector
from facecrop.face import Face
from facecrop.images import Image, ImageError

BATCH_PIXELS = 24_000_000
BATCH_IMAGES = 64


@dataclass(frozen=True, slots=True)
class ScannedPhoto:
    """A photo with its faces; `image` is the ImageError where it could not be read."""

    path: Path
    image: Image | ImageError
    faces: tuple[Face, ...] = ()


def scan_photos(photos: Iterable[tuple[Path, Image | ImageError]], detector: Detector) -> Iterator[ScannedPhoto]:
    """The photos with their faces, in order; what `iter_images` yields is what this takes."""
    batch: list[tuple[Path, Image | ImageError]] = []
    pixels = 0
    for path, image in photos:
        batch.append((path, image))
        pixels += 0 if isinstance(image, ImageError) else image.shape[0] * image.shape[1]
        if pixels >= BATCH_PIXELS or len(batch) == BATCH_IMAGES:
            yield from _scanned(batch, detector)
            batch, pixels = [], 0
    yield from _scanned(batch, detector)


def _scanned(batch: list[tuple[Path, Image | ImageError]], detector: Detector) -> Iterator[ScannedPhoto]:
    found = iter(detector.detect([image for _, image in batch if not isinstance(image, ImageError)]))
    for path, image in batch:
        yield ScannedPhoto(path, image, () if isinstance(image, ImageError) else tuple(next(found)))
