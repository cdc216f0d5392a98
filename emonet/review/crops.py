"""The crops of a data set in one file, from which any of them is read at once, and sheets of many crops in one image.

A browser that asked for each crop alone would ask for hundreds a second while somebody scrolls.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emonet.atomic import write_atomically
from emonet.datasets.store import Store, decode
from emonet.errors import ImageError, OptionError
from facecrop.images import Image, encode_jpeg

LARGEST_CELL = 96  # pixels: how large a crop is in a sheet at most
SHEET_COLUMNS = 8
MOST_IN_SHEET = 256


class CropFile:
    """The encoded images of a data set, by their places.

    Args:
        path: The file, written by `open_crops`.
        offsets: Where each image begins, and where the last one ends (N + 1,).
        cell: Pixels of a crop in a sheet.
    """

    def __init__(self, path: Path, offsets: NDArray[np.int64], cell: int) -> None:
        self._offsets = offsets
        self.cell = cell
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def read(self, place: int) -> bytes:
        """Return the bytes of an image, as the data set holds it: PNG."""
        if not 0 <= place < len(self):
            raise OptionError(f"a face must be from 0 to {len(self) - 1}, got {place}")
        return bytes(self._bytes[self._offsets[place] : self._offsets[place + 1]])

    def make_sheet(self, places: Sequence[int]) -> bytes:
        """Draw crops side by side, SHEET_COLUMNS in a row, as one JPEG; those that cannot be decoded stay grey."""
        if not 0 < len(places) <= MOST_IN_SHEET:
            raise OptionError(f"a sheet holds 1 to {MOST_IN_SHEET} crops, got {len(places)}")
        rows = -(-len(places) // SHEET_COLUMNS)
        sheet = np.full((rows * self.cell, SHEET_COLUMNS * self.cell, 3), 128, np.uint8)
        for number, place in enumerate(places):
            row, column = divmod(number, SHEET_COLUMNS)
            y, x = row * self.cell, column * self.cell
            sheet[y : y + self.cell, x : x + self.cell] = self._draw(place)
        return encode_jpeg(sheet)

    def _draw(self, place: int) -> Image:
        import cv2

        try:
            image = decode({"bytes": self.read(place), "path": str(place)})
        except ImageError:
            return np.full((self.cell, self.cell, 3), 128, np.uint8)
        if image.shape[:2] == (self.cell, self.cell):
            return image
        return np.asarray(cv2.resize(image, (self.cell, self.cell), interpolation=cv2.INTER_AREA), np.uint8)


def open_crops(store: Store, folder: Path) -> CropFile:
    """Open the crops of a data set; they are copied into a file of the folder when that is first asked for."""
    path = folder / f"crops-{store.identity[:16]}.bin"
    index = path.with_suffix(".npy")
    if not (path.is_file() and index.is_file()):
        for stale in folder.glob("crops-*"):  # of another data set
            stale.unlink()
        _write(store, path, index)
    return CropFile(path, np.load(index), min(LARGEST_CELL, store.crop.size))


def _write(store: Store, path: Path, index: Path) -> None:
    offsets = [0]
    with write_atomically(path) as temporary, temporary.open("wb") as file:
        for split in store.splits:
            for batch in store.batches(split, ["image"]):
                for row in batch.to_pylist():
                    offsets.append(offsets[-1] + file.write(row["image"]["bytes"]))
    with write_atomically(index) as temporary, temporary.open("wb") as file:
        np.save(file, np.array(offsets, np.int64))
