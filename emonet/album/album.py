"""The album of a folder of photos: pages to look through in a browser, which need nothing but themselves.

FOLDER/album.html            all photos; of more than 500, how many there are and links to pages
FOLDER/album/001.html        500 of them, and so on
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from emonet.album.entry import Entry
from emonet.album.pages import FOLDER, INDEX, Holdings, name_of, write_index, write_photo_page
from emonet.errors import OptionError
from emonet.labels import Emotion

PHOTOS = 500  # of a page; never more than two pages' are in memory


def write_album(
    entries: Iterable[Entry],
    folder: Path,
    *,
    title: str,
    classes: Sequence[Emotion],
    count: int,
    footer: str = "",
) -> Path:
    """Write an album, and return the path of `album.html`.

    Args:
        entries: The photos, in the order in which they are shown.
        folder: Where the album is written.
        title: Its heading.
        classes: Those that the model can answer.
        count: How many entries there will be.
        footer: A line at the end of `album.html`.

    Raises:
        OptionError: There are more or fewer entries than `count`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    batches, pages = _batches(entries, count), math.ceil(count / PHOTOS)
    if pages > 1:
        held = _write_pages(batches, folder / FOLDER, title, classes, pages)
        write_index(folder / INDEX, held, title, classes, footer)
    else:
        shown = [entry for batch in batches for entry in batch]
        write_photo_page(folder / INDEX, shown, title, classes, footer=footer)
    return folder / INDEX


def _batches(entries: Iterable[Entry], count: int) -> Iterator[list[Entry]]:
    """Yield the photos of each page."""
    remaining, seen = iter(entries), 0
    while batch := list(islice(remaining, PHOTOS)):
        seen += len(batch)
        if seen > count:
            break
        yield batch
    if seen != count:
        came = "more" if seen > count else seen
        raise OptionError(f"count must be that of the entries: it is {count}, but {came} came")


def _write_pages(
    batches: Iterable[list[Entry]], folder: Path, title: str, classes: Sequence[Emotion], pages: int
) -> list[Holdings]:
    folder.mkdir(exist_ok=True)
    found = []
    for number, batch in enumerate(batches, start=1):
        write_photo_page(folder / name_of(number), batch, title, classes, number, pages)
        found.append(Holdings.of(batch))
    return found
