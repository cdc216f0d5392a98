"""Finding the faces of many photos while memory stays flat: pictures are read and let go a batch at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from typing import Generic, TypeVar

from facecrop.detectors.protocol import Detector
from facecrop.errors import ImageError, OptionError
from facecrop.face import Face
from facecrop.images import Image, Source, image_or_error

# Little, so that the next are decoded while these are searched. On a GPU, larger batches should pay (MTCNN takes up to
# 16 million pixels together); not measured.
BATCH_PIXELS = 4_000_000
BATCH_IMAGES = 64
READERS = 2  # threads that decode

Name = TypeVar("Name")
Read = tuple[Name, Image | ImageError]


@dataclass(frozen=True, slots=True)
class ScannedPhoto(Generic[Name]):
    """A photo with its faces; `image` is the ImageError where it could not be read."""

    name: Name  # its path, or whatever else it goes by
    image: Image | ImageError
    faces: tuple[Face, ...] = ()


def read_ahead(photos: Iterable[tuple[Name, Source | ImageError]], *, threads: int = READERS) -> Iterator[Read[Name]]:
    """The photos decoded, in order, a few ahead of the one that is asked for. What cannot be read is an ImageError."""
    rest = iter(photos)
    with ThreadPoolExecutor(threads) as pool:
        started = deque((name, pool.submit(_image_or_error, source)) for name, source in islice(rest, 2 * threads))
        try:
            while started:
                name, image = started.popleft()
                yield name, image.result()
                started.extend((name, pool.submit(_image_or_error, source)) for name, source in islice(rest, 1))
        finally:
            for _, image in started:
                image.cancel()


def scan_photos(photos: Iterable[Read[Name]], detector: Detector) -> Iterator[ScannedPhoto[Name]]:
    """The photos with their faces, in order; what `iter_images` and `read_ahead` yield is what this takes."""
    return chain.from_iterable(scan_batches(photos, detector))


def scan_batches(
    photos: Iterable[Read[Name]], detector: Detector, most: int = BATCH_IMAGES
) -> Iterator[list[ScannedPhoto[Name]]]:
    """The same by batches of those that are searched together: at most so many, and fewer large ones."""
    if most < 1:
        raise OptionError(f"a batch has at least one photo, got {most}")
    batch: list[Read[Name]] = []
    pixels = 0
    for name, image in photos:
        batch.append((name, image))
        pixels += 0 if isinstance(image, ImageError) else image.shape[0] * image.shape[1]
        if pixels >= BATCH_PIXELS or len(batch) == most:
            yield _scanned(batch, detector)
            batch, pixels = [], 0
    if batch:
        yield _scanned(batch, detector)


def _scanned(batch: list[Read[Name]], detector: Detector) -> list[ScannedPhoto[Name]]:
    found = iter(detector.detect([image for _, image in batch if not isinstance(image, ImageError)]))
    return [
        ScannedPhoto(name, image, () if isinstance(image, ImageError) else tuple(next(found))) for name, image in batch
    ]


def _image_or_error(source: Source | ImageError) -> Image | ImageError:
    if isinstance(source, ImageError):
        return source
    return image_or_error(source, missing="no such file")
