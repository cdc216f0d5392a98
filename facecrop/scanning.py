"""Find the faces of many photos in flat memory: a batch of images is read, searched and let go."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Generic, TypeVar

from facecrop.detectors.protocol import Detector
from facecrop.errors import ImageError, OptionError
from facecrop.face import Face
from facecrop.images import Image, Source, count_pixels, try_read_image

# Small, so that the next images are decoded while these are searched. On a GPU, larger batches should pay (MTCNN takes
# up to 16 million pixels together); not measured.
BATCH_PIXELS = 4_000_000
BATCH_IMAGES = 64
READERS = 2  # threads that decode
AHEAD_PIXELS = 32_000_000  # that are decoded ahead; a single photo may have more

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


def read_ahead(photos: Iterable[tuple[Name, Source | ImageError]], *, threads: int = READERS) -> Iterator[Read[Name]]:
    """Decode photos in threads, in order, a few ahead of the one that is asked for: fewer of large ones.

    Args:
        photos: Names with sources, or with the error that says why there is no source.
        threads: How many photos are decoded at the same time.

    Returns:
        An iterator with each name and its image, or its ImageError.
    """
    rest = iter(photos)
    with ThreadPoolExecutor(threads) as pool:
        begun: deque[tuple[Name, int, Future[Image | ImageError]]] = deque()
        try:
            for name, source in rest:
                pixels = 0 if isinstance(source, ImageError) else count_pixels(source)
                while begun and (len(begun) == 2 * threads or pixels + sum(one[1] for one in begun) > AHEAD_PIXELS):
                    yield begun[0][0], begun.popleft()[2].result()
                begun.append((name, pixels, pool.submit(_read_source, source)))
            while begun:
                yield begun[0][0], begun.popleft()[2].result()
        finally:
            for _, _, image in begun:
                image.cancel()


def scan_photos(photos: Iterable[Read[Name]], detector: Detector) -> Iterator[ScannedPhoto[Name]]:
    """Find the faces of photos, in order; takes what `iter_images` and `read_ahead` yield."""
    return chain.from_iterable(scan_batches(photos, detector))


def scan_batches(
    photos: Iterable[Read[Name]], detector: Detector, most: int = BATCH_IMAGES
) -> Iterator[list[ScannedPhoto[Name]]]:
    """Find the faces of photos as `scan_photos` does, and yield those that are searched together.

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


def _read_source(source: Source | ImageError) -> Image | ImageError:
    if isinstance(source, ImageError):
        return source
    return try_read_image(source, missing="no such file")
