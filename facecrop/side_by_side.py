"""Work on many photos side by side in threads, each photo by one thread, in little memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition, Lock
from typing import Generic, TypeVar, cast

from PIL import _imaging

from facecrop._memory import give_back_memory
from facecrop.errors import ImageError, MissingFileError, OptionError
from facecrop.face import Face
from facecrop.filtering import FilterRules, Rejection
from facecrop.images import LARGE, Image, Source, count_pixels, read_photo
from facecrop.scanning import BATCH_IMAGES, BATCH_PIXELS
from facecrop.threads import use_one_thread

PIXELS = LARGE  # that are in memory at a time, in all threads; a single photo may have more
BLOCK = 64 * 2**20  # bytes
AHEAD = 2  # batches that are begun for each thread, so that a slow one does not hold up the others

Name = TypeVar("Name")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class OpenedPhoto(Generic[Name]):
    """A photo that was read.

    Attributes:
        name: The name that it was given with.
        image: The image, or the ImageError if it cannot be read. Of a very large photo, it is half as wide and high.
        size_wh: Width and height of the photo, upright; zeros if it cannot be read.
        scale: How many pixels of the photo a pixel of the image is wide: 1 or 2.
    """

    name: Name
    image: Image | ImageError
    size_wh: tuple[int, int] = (0, 0)
    scale: int = 1

    def place(self, face: Face) -> Face:
        """Return a face of the image as it is in the photo."""
        return face if self.scale == 1 else face.scaled(self.scale)

    def place_rejection(self, rejection: Rejection, rules: FilterRules) -> Rejection:
        """Return a rejection in the image as it is in the photo, by the rules of the photo."""
        return rejection if self.scale == 1 else rejection.scaled(self.scale, rules)


Work = Callable[[Sequence[OpenedPhoto[Name]]], Sequence[Result]]


def map_photos(
    photos: Iterable[tuple[Name, Source | ImageError]],
    work: Work[Name, Result],
    *,
    threads: int,
    most: int = BATCH_IMAGES,
) -> Iterator[Result]:
    """Read photos and work on them in threads; results come in the order of the photos.

    How many photos are in memory is limited by their pixels.

    Args:
        photos: Names with sources, or with the error that says why there is no source.
        work: Is called in a thread with some photos, and returns a result for each. Small photos come together.
        threads: How many photos, or batches of small ones, are worked on at the same time.
        most: The most photos of a batch.

    Returns:
        An iterator with the result of each photo.
    """
    if most < 1:
        raise OptionError(f"a batch must have at least one photo, got {most}")
    budget = PixelBudget(PIXELS)
    batches = _make_batches(photos, most)

    def do(batch: _Batch[Name]) -> Sequence[Result]:
        with budget.taking(batch.pixels):
            results = work([_open(name, source) for name, source in batch.photos])
            if batch.pixels > BATCH_PIXELS:
                give_back_memory()
            return results

    with use_one_thread(), _large_blocks, ThreadPoolExecutor(threads, "photos") as pool:
        begun: deque[Future[Sequence[Result]]] = deque()
        try:
            for batch in batches:
                begun.append(pool.submit(do, batch))
                if len(begun) >= AHEAD * threads:
                    yield from begun.popleft().result()
            while begun:
                yield from begun.popleft().result()
        finally:
            for one in begun:
                one.cancel()


class PixelBudget:
    """Limits how many pixels are in memory: who wants more than are left waits.

    Args:
        pixels: The limit. One that wants more than that gets it when nobody else has any.
    """

    def __init__(self, pixels: int) -> None:
        self._pixels = pixels
        self._taken = 0
        self._changed = Condition()

    @contextmanager
    def taking(self, pixels: int) -> Iterator[None]:
        """Take pixels for as long as the block runs."""
        with self._changed:
            self._changed.wait_for(lambda: self._taken == 0 or self._taken + pixels <= self._pixels)
            self._taken += pixels
        try:
            yield
        finally:
            with self._changed:
                self._taken -= pixels
                self._changed.notify_all()


class _LargeBlocks:
    """Lets Pillow take the memory of images in blocks so large that the system has them back when one is let go.

    Smaller ones stay with each thread that decoded a large image: 200 MB after one of 60 megapixels. The size is of the
    whole process: the first that wants large blocks sets it, and the last sets it back.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        self._before = 0

    def __enter__(self) -> None:
        with self._lock:
            if not self._users:
                self._before = _imaging.get_block_size()
                _imaging.set_block_size(BLOCK)
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                _imaging.set_block_size(self._before)


_large_blocks = _LargeBlocks()


@dataclass(frozen=True, slots=True)
class _Batch(Generic[Name]):
    photos: list[tuple[Name, Source | ImageError]]
    pixels: int


def _make_batches(photos: Iterable[tuple[Name, Source | ImageError]], most: int) -> Iterator[_Batch[Name]]:
    """Make batches of consecutive photos; a photo that is large itself is alone."""
    batch: list[tuple[Name, Source | ImageError]] = []
    pixels = 0
    for name, source in photos:
        own = 0 if isinstance(source, ImageError) else count_pixels(source)
        if batch and (pixels + own > BATCH_PIXELS or len(batch) == most):
            yield _Batch(batch, pixels)
            batch, pixels = [], 0
        batch.append((name, source))
        pixels += own
    if batch:
        yield _Batch(batch, pixels)


def _open(name: Name, source: Source | ImageError) -> OpenedPhoto[Name]:
    if isinstance(source, ImageError):
        return OpenedPhoto(name, source)
    try:
        read = read_photo(source)
    except MissingFileError:
        return OpenedPhoto(name, ImageError(cast("str", source), "no such file"))
    except ImageError as error:
        return OpenedPhoto(name, error)
    return OpenedPhoto(name, read.image, read.size_wh, read.scale)
