"""JAFFE: 213 images of ten Japanese women who pose seven expressions (Lyons et al. 1998); 256x256, grey, TIFF.

    jaffe/KA.AN1.39.tiff        subject . expression and take . running number; also jaffedbase/, with README files
    KA.AN1.39.tiff.bmp          conversions, sometimes beside their originals
    ANGRY/KA.AN1.39.tiff        sorted into folders: the file name counts; without it nobody knows the subject
    data.csv                    filepath,facial_expression: a list of renamed images

Codes: AN DI FE HA NE SA SU. Takes and running numbers have gaps, as published. The images show head and shoulders, so
faces are found and cut out as in any photo.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import ClassVar

from emonet.datasets.formats.class_folders import (
    LabelledFile,
    find_labelled_images,
    make_entry,
    sort_copies,
    were_renamed,
)
from emonet.datasets.formats.photo_table import open_photo_table, read_photos
from emonet.datasets.formats.tree import Tree
from emonet.datasets.reader import Layout, Published, Reader
from emonet.datasets.sample import DropReason, EncodedImage, Rejected, Sample
from emonet.labels import Emotion

CODES = {
    "AN": Emotion.ANGRY,
    "DI": Emotion.DISGUST,
    "FE": Emotion.FEAR,
    "HA": Emotion.HAPPY,
    "NE": Emotion.NEUTRAL,
    "SA": Emotion.SAD,
    "SU": Emotion.SURPRISE,
}
COUNTS = dict(zip(CODES.values(), (30, 29, 32, 31, 30, 31, 30), strict=True))
PUBLISHED = Published({"": COUNTS})

FILE_NAME = re.compile(r"([A-Z]{2})[.\-_]([A-Z]{2})(\d)[.\-_](\d+)(?:\.(?:tiff?|png|jpe?g|bmp))+", re.IGNORECASE)


class Jaffe(Reader):
    """JAFFE in any folders: its images are recognised by their names.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from emonet.datasets import Jaffe
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "KA.AN1.39.tiff").touch()
        >>> [(sample.subject, sample.emotion.value) for sample in Jaffe(folder)]
        [('KA', 'angry')]
    """

    name: ClassVar[str] = "jaffe"
    title: ClassVar[str] = "JAFFE"
    accepts: ClassVar[str] = "the folder with its images, or an archive"
    classes: ClassVar[tuple[Emotion, ...]] = tuple(CODES.values())
    images: ClassVar[int | None] = 213
    people: ClassVar[int | None] = 10
    published: ClassVar[Published | None] = PUBLISHED
    expected: ClassVar[str] = "KA.AN1.39.tiff in any folder, or class folders of renamed images"
    home: ClassVar[str] = "by request from Zenodo, record 3451524"
    terms: ClassVar[str] = "JAFFE is given out for research only, not for business; its images may not be passed on."

    def recognise(self, tree: Tree) -> Layout | None:
        files = find_labelled_images(tree)
        matches = [FILE_NAME.fullmatch(place.name) for place, _ in tree.images()]
        if any(match and match[2].upper() in CODES for match in matches):
            return self._by_names(tree, files)
        return self._by_folders(files) or self._by_list(tree)

    def _by_names(self, tree: Tree, files: list[LabelledFile]) -> Layout:
        emotions = {file.name: file.emotion for file in files if file.emotion}
        odd = [name for name, emotion in emotions.items() if _find_code(name) not in (None, emotion)]
        if odd:
            self.notes.append(
                f"names count more than folders, and contradict them in {len(odd)} of {len(emotions)}: {odd[0]}"
            )
        title = "class folders, by file names" if emotions else "file names"
        return Layout(title, lambda: self._read_all(tree), subjects=True, published=PUBLISHED)

    def _by_folders(self, files: list[LabelledFile]) -> Layout | None:
        if not were_renamed(files) or any(file.emotion is Emotion.CONTEMPT for file in files):
            return None
        self.notes.append("the images were renamed: nobody can tell who is on them, a split by subject is impossible")
        return Layout(
            "class folders, renamed images",
            lambda: (make_entry(self, file) for file in files),
            published=PUBLISHED,
        )

    def _by_list(self, tree: Tree) -> Layout | None:
        """Only a list named data.csv: other lists are of the user's own photos."""
        tables = [name for name in tree.tables() if PurePosixPath(name).name.lower() == "data.csv"]
        if len(tables) != 1:
            return None
        table = open_photo_table(tree, tables[0])
        self.notes.append("the images were renamed: nobody can tell who is on them, a split by subject is impossible")
        return Layout(
            "data.csv, renamed images", lambda: read_photos(self, table), published=PUBLISHED, lists_files=True
        )

    def _read_all(self, tree: Tree) -> Iterator[Sample | Rejected]:
        names = defaultdict(list)
        for place, _ in tree.images():
            if match := FILE_NAME.fullmatch(place.name):
                subject, code, take, number = match.groups()
                names[f"{subject}.{code}{take}.{number}".upper()].append(str(place))
            else:
                yield self.reject(str(place), DropReason.BAD_LABEL, "its name is not of the form KA.AN1.39.tiff")
        for stem, copies in sorted(names.items()):
            yield from self._read_one(tree, stem, copies)

    def _read_one(self, tree: Tree, stem: str, copies: list[str]) -> Iterator[Sample | Rejected]:
        name, *others = sort_copies(copies)
        emotion = _find_code(name)
        if emotion is None:
            known = " ".join(CODES)
            yield self.reject(stem, DropReason.BAD_LABEL, f"{name}: {known} are known expressions")
            return
        image = EncodedImage(tree.members[name])
        yield Sample(f"{self.name}/{stem}", image, emotion, self.name, subject=stem.partition(".")[0])
        for other in others:
            yield self.reject(stem, DropReason.CONVERTED_COPY, f"{other} is the image of {name} again")


def _find_code(name: str) -> Emotion | None:
    match = FILE_NAME.fullmatch(PurePosixPath(name).name)
    return CODES.get(match[2].upper()) if match else None
