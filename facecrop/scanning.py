"""Find the faces of images that were read, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from facecrop.detectors.protocol import Detector
from facecrop.errors import ImageError, OptionError
from facecrop.face import Face
from facecrop.images import Image

# On a GPU, larger batches should pay (MTCNN takes up to 16 million pixels together); not measured.
BATCH_PIXELS = 4_000_000
BATCH_IMAGES = 64

Name = TypeVar("Name")
Read = tuple[Name, Image | ImageError]


@dataclass(frozen=True, slots=True)
class ScannedPhoto(Generic[Name]):
    """A photo and the faces found in it.

    Attributes:
        name: The path, or any other name it was given with.
        image: The image, or the ImageError if it cannot be read.
        faces: Best score first.
    """

    name: Name
    image: Image | ImageError
    faces: tuple[Face, ...] = ()


def scan_batches(
    photos: Iterable[Read[Name]], detector: Detector, most: int = BATCH_IMAGES
) -> Iterator[list[ScannedPhoto[Name]]]:
    """Find the faces of photos, in order, and yield those that are searched together.

    Args:
        photos: Names with images or errors.
        detector: What finds the faces.
        most: The most photos in a batch; batches of large photos are smaller.
    """
    if most < 1:
        raise OptionError(f"a batch must have at least one photo, got {most}")
    batch: list[Read[Name]] = []
    pixels = 0
    for name, image in photos:
        batch.append((name, image))
        pixels += 0 if isinstance(image, ImageError) else image.shape[0] * image.shape[1]
        if pixels >= BATCH_PIXELS or len(batch) == most:
            yield _scan_batch(batch, detector)
            batch, pixels = [], 0
    if batch:
        yield _scan_batch(batch, detector)


def _scan_batch(batch: list[Read[Name]], detector: Detector) -> list[ScannedPhoto[Name]]:
    found = iter(detector.detect([image for _, image in batch if not isinstance(image, ImageError)]))
    return [
        ScannedPhoto(name, image, () if isinstance(image, ImageError) else tuple(next(found))) for name, image in batch
    ]
