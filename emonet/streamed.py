"""Images that stay in the Parquet files of a data set, encoded, and are decoded when they are asked for."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.store import decode
from emonet.datasets.store.plain_png import decode_plain
from emonet.models.inputs import InputSpec, Pixels

if TYPE_CHECKING:
    import pyarrow as pa

    from emonet.datasets.store.shard import RowGroup

Places = NDArray[np.int64]


class StreamedImages:
    """The images of some rows of a data set. Index them as an array (N, size, size, channels); none stays in memory.

    Args:
        groups: The row groups that hold the images, in order.
        group_of: The place in `groups` of each image (N,).
        row_of: The row of each image in its row group (N,).
        spec: The size and channels of the images.
    """

    def __init__(self, groups: Sequence[RowGroup], group_of: Places, row_of: Places, spec: InputSpec) -> None:
        self._groups, self._spec = groups, spec
        self._group_of, self._row_of = group_of, row_of
        self._last: tuple[int, pa.Array] | None = None

    def __len__(self) -> int:
        return len(self._group_of)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Number, height, width and channels."""
        return len(self), self._spec.size, self._spec.size, self._spec.channels

    def __getitem__(self, places: slice | Places) -> Pixels:
        """Read images in any order. Neighbours are read together; a row group may be read again in the next call."""
        chosen = np.arange(len(self))[places]
        images = np.empty((len(chosen), *self.shape[1:]), np.uint8)
        for group in np.unique(self._group_of[chosen]).tolist():
            cells = self._read_or_keep(group)
            for place in np.flatnonzero(self._group_of[chosen] == group):
                images[place] = self._decode(cells, int(self._row_of[chosen[place]]))
        return images

    def part(self, mask: NDArray[np.bool_]) -> StreamedImages:
        """Return some of the images; nothing is read."""
        return StreamedImages(self._groups, self._group_of[mask], self._row_of[mask], self._spec)

    def find_groups(self, places: Places) -> list[int]:
        """Return the row group of each of some images."""
        groups: list[int] = self._group_of[places].tolist()
        return groups

    def count_rows(self, group: int) -> int:
        """Count all rows of a row group."""
        return self._groups[group].rows

    def read(self, group: int) -> pa.Array:
        """Read the encoded images of a row group."""
        return self._groups[group].read(["image"]).column("image").combine_chunks()

    def decode(self, places: Places, read: Sequence[pa.Array]) -> Pixels:
        """Decode images of row groups that are read: one row group for each image."""
        rows = self._row_of[places].tolist()
        if self._spec.channels == 1:
            files = [cells.field("bytes")[row].as_py() or b"" for cells, row in zip(read, rows, strict=True)]
            if (plain := decode_plain(files, self._spec.size)) is not None:
                return plain[..., None]
        return np.stack([self._decode(cells, row) for cells, row in zip(read, rows, strict=True)])

    def _decode(self, cells: pa.Array, row: int) -> Pixels:
        return self._spec.resize(decode(cells[row].as_py()))

    def _read_or_keep(self, group: int) -> pa.Array:
        if self._last is None or self._last[0] != group:
            self._last = group, self.read(group)
        return self._last[1]


class Planned(Protocol):
    """Images that are to be taken together."""

    @property
    def places(self) -> Places:
        """Their places in the data."""


Plan = TypeVar("Plan", bound=Planned)


def stream(images: StreamedImages, plans: Iterator[Plan], window: int) -> Iterator[tuple[Plan, Callable[[], Pixels]]]:
    """Read the images of plans in their order; a thread reads ahead, and each row group is dropped when it is done.

    Args:
        images: The images.
        plans: Say which images are taken together. They should come from few row groups at a time.
        window: Images that are shuffled together. Twice as many rows are held, encoded, and those of two row groups.

    Yields:
        Each plan, with what decodes its images; that may be called in another thread.
    """
    reader = ThreadPoolExecutor(1)
    coming: deque[tuple[Plan, list[int]]] = deque()
    held: dict[int, Future[pa.Array]] = {}
    uses: Counter[int] = Counter()  # of each row group that is held, by the plans that are coming
    try:
        while True:
            while not coming or (uses.total() < 2 * window and _count_held(images, held) < 2 * window):
                if (plan := next(plans, None)) is None:
                    break
                coming.append((plan, images.find_groups(plan.places)))
                uses.update(coming[-1][1])
                for group in coming[-1][1]:
                    if group not in held:
                        held[group] = reader.submit(images.read, group)
            if not coming:
                return
            plan, groups = coming.popleft()
            yield plan, partial(images.decode, plan.places, [held[group].result() for group in groups])
            uses.subtract(groups)
            for group in {group for group in groups if not uses[group]}:
                del held[group], uses[group]
    finally:
        reader.shutdown(cancel_futures=True)


def _count_held(images: StreamedImages, held: dict[int, Future[pa.Array]]) -> int:
    return sum(images.count_rows(group) for group in held)
