"""FER2013: 35,887 grey faces of 48 x 48 pixels from the web, labelled with seven expressions (Goodfellow et al. 2013).

    fer2013.csv                 emotion,pixels,Usage    (in fer2013.tar.gz; Usage: Training, PublicTest, PrivateTest)
    icml_face_data.csv          emotion, Usage, pixels  (the same rows, spaces in the header)
    train.csv, test.csv         emotion,pixels / pixels (the competition's; test.csv has no labels)
    train.csv, val.csv, ...     the splits in files of their own; validation is PublicTest, test PrivateTest
    train/angry/Training_12.jpg, test/angry/{PublicTest,PrivateTest}_34.jpg      (Kaggle's tree: JPEG)
    train/, validation/, test/  the same in three
    FER2013Train/fer0000000.png FER+'s tree: see ferplus.py
    train-*.parquet, publicTest-*.parquet, privateTest-*.parquet    as on Hugging Face, if the labels have their names

Codes: 0 angry, 1 disgust, 2 fear, 3 happy, 4 sad, 5 surprise, 6 neutral. Folders in alphabetical order have other
numbers, so folders are recognised by name. Training becomes `train`, PublicTest `validation` and PrivateTest `test`:
this is the only module that knows it. The publisher cropped the faces, and people cannot be told apart. Some trees hold
augmented copies in all splits (`Training_12.jpg3.jpg`): they are rejected.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import ClassVar

from emonet.datasets.ferplus import VotedRows, find_label_files, read_tree
from emonet.datasets.formats.class_folders import PUBLISHED_NAME
from emonet.datasets.formats.coded_rows import USAGES, read_coded_rows
from emonet.datasets.formats.parquet_table import open_parquet_table
from emonet.datasets.formats.pixel_table import PixelTable, open_pixel_table
from emonet.datasets.formats.tree import Tree
from emonet.datasets.labels import find_emotion, find_split
from emonet.datasets.reader import Layout, Published, Reader
from emonet.datasets.sample import Blob, DropReason, EncodedImage, Rejected, Sample
from emonet.errors import OptionError
from emonet.labels import Emotion
from facecrop import CropSpec

CODES = dict(zip("0123456", Emotion, strict=False))
WHOLE_TABLES = ("fer2013.csv", "icml_face_data.csv")
NO_TABLES = ("fer2013new.csv", "label.csv", "example_submission.csv")

IMAGE_NAME = re.compile(r"(Training|PublicTest|PrivateTest)_\d+", re.IGNORECASE)
AUGMENTED = re.compile(r"\.(jpe?g|png)\d+\.(jpe?g|png)$|_aug|\(\d+\)\.", re.IGNORECASE)

COUNTS = {
    split: dict(zip(Emotion, counts, strict=False))
    for split, counts in {
        "train": (3995, 436, 4097, 7215, 4830, 3171, 4965),
        "validation": (467, 56, 496, 895, 653, 415, 607),
        "test": (491, 55, 528, 879, 594, 416, 626),
    }.items()
}


class Fer2013(Reader):
    """FER2013 in any of its layouts.

    Args:
        path: A folder, an archive or fer2013.csv.
        votes: FER+'s fer2013new.csv; its rows are those of fer2013.csv.

    Raises:
        OptionError: There are votes, but the layout has no rows that they could belong to.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from emonet.datasets import Fer2013
        >>> folder = Path(tempfile.mkdtemp()) / "train" / "angry"
        >>> folder.mkdir(parents=True)
        >>> (folder / "Training_12.jpg").touch()
        >>> [(sample.emotion.value, sample.split) for sample in Fer2013(folder.parent.parent)]
        [('angry', 'train')]
    """

    name: ClassVar[str] = "fer2013"
    title: ClassVar[str] = "FER2013"
    accepts: ClassVar[str] = "a CSV, a folder of images, or an archive"
    classes: ClassVar[tuple[Emotion, ...]] = tuple(CODES.values())
    images: ClassVar[int | None] = 35_887
    published: ClassVar[Published | None] = Published(COUNTS)
    expected: ClassVar[str] = "fer2013.csv, icml_face_data.csv, train.csv, or folders train/angry/Training_12.jpg"
    home: ClassVar[str] = "Kaggle: challenges in representation learning, facial expression recognition"
    terms: ClassVar[str] = (
        "FER2013's images were collected from the web for a contest in 2013 and bear no stated licence: use "
        "weights learned from them for research, and ask a lawyer before anything else."
    )
    needs_subjects: ClassVar[bool] = False  # it has none; copies are kept in one split instead

    def __init__(self, path: str | os.PathLike[str], votes: str | os.PathLike[str] | None = None) -> None:
        self.votes = None if votes is None else Path(votes)
        super().__init__(path)
        if self.votes is not None and not self._joins_votes:
            raise OptionError(f"{self.votes}: votes join by row, and {self.path} has no rows ({self.layout.title})")

    def recognise(self, tree: Tree) -> Layout | None:
        self._joins_votes = False
        layouts = (self._whole_table, self._ferplus_tree, self._split_tables, self._parquet, self._images)
        return next(filter(None, (known(tree) for known in layouts)), None)

    def _make_layout(self, title: str, samples: Callable[[], Iterator[Sample | Rejected]]) -> Layout:
        return Layout(title, samples, framing=CropSpec.fer2013(), published=self.published)

    def _whole_table(self, tree: Tree) -> Layout | None:
        """One CSV with a split in each row: the one with a published name, or else the only one."""
        tables = _find_tables(tree)
        named = [name for known in WHOLE_TABLES for name in tables if PurePosixPath(name).name.lower() == known]
        alone = [name for name in tables if len(tables) == 1 and not find_split(_stem(name))]
        chosen = next(iter(named or alone), None)
        if chosen is None:
            return None
        table = open_pixel_table(tree, chosen, ("emotion", "pixels", "usage"))
        self._joins_votes = True
        return self._make_layout(
            f"{PurePosixPath(chosen).name} ({', '.join(table.columns)})", lambda: self._rows(table)
        )

    def _split_tables(self, tree: Tree) -> Layout | None:
        """A CSV for each split, with the split in its name; the competition's test.csv has no labels."""
        names = [name for name in _find_tables(tree) if find_split(_stem(name))]
        if not names:
            return None
        tables = {name: open_pixel_table(tree, name) for name in names}
        return self._make_layout(
            ", ".join(PurePosixPath(name).name for name in names),
            lambda: (
                entry
                for name, table in tables.items()
                for entry in self._rows(table, f"{PurePosixPath(name).stem}/", find_split(_stem(name)))
            ),
        )

    def _rows(self, table: PixelTable, prefix: str = "fer", split: str | None = None) -> Iterator[Sample | Rejected]:
        votes = None if self.votes is None else VotedRows.read(self.votes).find
        return read_coded_rows(self.name, table, CODES, prefix=prefix, split=split, votes=votes)

    def _parquet(self, tree: Tree) -> Layout | None:
        """Shards with the split in their names."""
        shards = [name for name in tree.members if name.lower().endswith(".parquet")]
        splits = {name: find_split(_stem(name).partition("-")[0]) for name in shards}
        if not shards or not all(splits.values()):
            return None
        tables = {name: open_parquet_table(tree.own_file(name)) for name in shards}
        return self._make_layout(
            f"{len(shards)} Parquet files",
            lambda: (
                entry
                for name, table in tables.items()
                for entry in table.samples(self.name, PurePosixPath(name).stem, splits[name])
            ),
        )

    def _ferplus_tree(self, tree: Tree) -> Layout | None:
        if not find_label_files(tree):
            return None
        self.notes = ["labels are the majority of FER+'s votes; FER2013's own are not in this tree"]
        layout = self._make_layout("FER+ image tree", lambda: read_tree(tree, self.name))
        return replace(layout, published=None)

    def _images(self, tree: Tree) -> Layout | None:
        """Images in folders by split and expression. Where their names are the published ones, these tell the split."""
        images = [place for place, _ in tree.images()]
        placed = [place for place in images if _find_folder_label(place) and _find_folder_split(place)]
        named = [place for place in images if IMAGE_NAME.match(place.name)]
        others = any(PUBLISHED_NAME.match(place.name) for place in images)  # of another data set, if none is named
        if not images or (not named and (others or len(placed) < len(images))):
            return None
        if len(named) < len(images):
            self.notes = ["splits are the folders': file names do not tell PublicTest from PrivateTest"]
        folders = sorted({split for split in map(_find_folder_split, images) if split})
        title = f"image tree ({', '.join(folders) or 'no split folders'})"
        return self._make_layout(title, lambda: (self._image(place, blob) for place, blob in tree.images()))

    def _image(self, place: PurePosixPath, blob: Blob) -> Sample | Rejected:
        prefix = IMAGE_NAME.match(place.name)
        split = USAGES[prefix[1].lower()] if prefix else _find_folder_split(place)
        emotion = _find_folder_label(place)
        if AUGMENTED.search(place.name):
            return self.reject(str(place), DropReason.AUGMENTED_COPY, "its name is that of an augmented copy", split)
        if split is None:
            return self.reject(str(place), DropReason.BAD_SPLIT, "neither its name nor a folder tells its split")
        if emotion is None:
            return self.reject(str(place), DropReason.BAD_LABEL, "no folder above it names an expression", split)
        return Sample(f"{self.name}/{place}", EncodedImage(blob), emotion, self.name, split=split)


def _find_tables(tree: Tree) -> list[str]:
    """The tables that may hold pixels, from the top of the tree down."""
    usable = [name for name in tree.tables() if PurePosixPath(name).name.lower() not in NO_TABLES]
    return sorted(usable, key=lambda name: (name.count("/"), name))


def _stem(name: str) -> str:
    return PurePosixPath(name).stem.lower()


def _find_folder_label(place: PurePosixPath) -> Emotion | None:
    """The expression of the nearest folder: a name, or one of FER2013's codes."""
    folder = place.parent.name
    return CODES.get(folder) or find_emotion(folder)


def _find_folder_split(place: PurePosixPath) -> str | None:
    return next(filter(None, map(find_split, reversed(place.parts[:-1]))), None)
