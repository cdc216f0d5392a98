"""ExpW: 91,793 faces in photos from the web, labelled by hand (Expression in-the-Wild, Zhang et al. 2016).

    image/origin/afraid_African_214.jpg      photos of any size, in seven parts of one archive; also origin/ alone
    label/label.lst                          afraid_African_214.jpg 0 28 113 226 141 22.9362 5

Columns of label.lst: photo, number of the face in it, top, left, right and bottom of the face in pixels, confidence of
the detector, label. Codes: 0 angry, 1 disgust, 2 fear, 3 happy, 4 sad, 5 surprise, 6 neutral. A photo may have several
faces, each with a row. Each face is read with its surroundings, so that it is found and cut out as in any photo. There
are no splits, and nobody can tell who is on the photos. Terms: for research that is not for business. Home:
http://mmlab.ie.cuhk.edu.hk/projects/socialrelation
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import ClassVar

from emonet.datasets.formats.text_rows import read_text_rows
from emonet.datasets.formats.tree import Tree
from emonet.datasets.reader import Layout, Published, Reader
from emonet.datasets.sample import Blob, DropReason, EncodedImage, RegionImage, Rejected, Sample
from emonet.errors import DatasetError
from emonet.labels import Emotion

LIST = "label.lst"
COLUMNS = 8
CODES = dict(zip("0123456", Emotion, strict=False))
COUNTS = dict(zip(CODES.values(), (3671, 3995, 1088, 30_537, 10_559, 7060, 34_883), strict=True))


class ExpW(Reader):
    """ExpW: the photos with label.lst, which has a row for each face.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from emonet.datasets import READERS
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "afraid_African_214.jpg").touch()
        >>> _ = (folder / "label.lst").write_text("afraid_African_214.jpg 0 28 113 226 141 22.9362 5")
        >>> [(sample.key, sample.emotion.value) for sample in READERS["expw"](folder)]
        [('expw/afraid_African_214/0', 'surprise')]
    """

    name: ClassVar[str] = "expw"
    title: ClassVar[str] = "ExpW"
    accepts: ClassVar[str] = "the folder with its photos and label.lst"
    expected: ClassVar[str] = "label/label.lst and image/origin/afraid_African_214.jpg"
    home: ClassVar[str] = "http://mmlab.ie.cuhk.edu.hk/projects/socialrelation"
    terms: ClassVar[str] = (
        "ExpW is given out for research only, not for business; its photos were collected from the web and belong to "
        "others."
    )
    classes: ClassVar[tuple[Emotion, ...]] = tuple(CODES.values())
    images: ClassVar[int | None] = 91_793
    published: ClassVar[Published | None] = Published({"": COUNTS})
    needs_subjects: ClassVar[bool] = False  # it has none

    def recognise(self, tree: Tree) -> Layout | None:
        lists = [name for name in tree.members if PurePosixPath(name).name.lower() == LIST]
        photos = {place.name: blob for place, blob in tree.images()}
        if not lists or (not photos and tree.archives()):
            return None
        if len(lists) > 1:
            raise DatasetError(tree.path, f"{len(lists)} files are named {LIST}: {', '.join(lists)}")
        if not photos:
            raise DatasetError(tree.path, f"{LIST} lies here without the photos that it lists")
        return Layout(LIST, lambda: self._read(tree, lists[0], photos), published=self.published)

    def _read(self, tree: Tree, name: str, photos: Mapping[str, Blob]) -> Iterator[Sample | Rejected]:
        keys: dict[str, int] = {}
        listed = set()
        for number, cells in read_text_rows(tree, name):
            if len(cells) != COLUMNS:
                detail = f"{LIST}, row {number}: {len(cells)} columns, not {COLUMNS}"
                yield self.reject(f"row {number}", DropReason.BAD_ROW, detail)
                continue
            listed.add(cells[0])
            key = f"{PurePosixPath(cells[0]).stem}/{cells[1]}"
            if (first := keys.setdefault(key, number)) != number:
                yield self.reject(key, DropReason.BAD_ROW, f"{LIST}, row {number}: the same face as in row {first}")
            else:
                yield self._make(key, cells, photos.get(cells[0]), f"{LIST}, row {number}")
        for photo in sorted(set(photos) - listed):
            yield self.reject(photo, DropReason.NO_LABEL, f"{LIST} does not list it")

    def _make(self, key: str, cells: list[str], photo: Blob | None, where: str) -> Sample | Rejected:
        box = _parse_box(cells[2:6])
        if box is None:
            detail = f"{where}: {' '.join(cells[2:6])[:60]!r} is no box of top, left, right, bottom"
            return self.reject(key, DropReason.BAD_ROW, detail)
        if cells[7] not in CODES:
            return self.reject(key, DropReason.BAD_LABEL, f"{where}: code {cells[7][:40]!r}, not 0 to 6")
        if photo is None:
            return self.reject(key, DropReason.UNREADABLE, f"{where}: there is no photo {cells[0]!r}")
        return Sample(f"{self.name}/{key}", RegionImage(EncodedImage(photo), box), CODES[cells[7]], self.name)


def _parse_box(cells: list[str]) -> tuple[float, float, float, float] | None:
    """Return left, top, right and bottom; None if they are no box."""
    try:
        top, left, right, bottom = map(float, cells)
    except ValueError:
        return None
    usable = all(map(math.isfinite, (top, left, right, bottom))) and left < right and top < bottom
    return (left, top, right, bottom) if usable else None
