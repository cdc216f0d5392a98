"""JAFFE: 213 pictures of ten Japanese women, each posing seven expressions (Lyons et al. 1998); 256x256, grey, TIFF.

    jaffe/KA.AN1.39.tiff        subject . expression and take . running number; also jaffedbase/, with README files
    KA.AN1.39.tiff.bmp          conversions, sometimes beside what they were made from
    ANGRY/KA.AN1.39.tiff        sorted into folders: the name counts; without the names the people are lost
    data.csv                    filepath,facial_expression: a list of renamed pictures

Codes: AN DI FE HA NE SA SU. Takes and running numbers skip; that is how it was published. The pictures show head and
shoulders, so faces are found and cut out as in any photo.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import ClassVar

from emonet.datasets.formats.class_folders import Photo, best_copy_first, photo_entry, pictures_in_folders, renamed
from emonet.datasets.formats.photo_table import listed_photos, open_photo_table
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
    """JAFFE, known by the names of its pictures wherever they lie."""

    name: ClassVar[str] = "jaffe"
    expected: ClassVar[str] = "KA.AN1.39.tiff in any folder, or class folders of renamed pictures"
    home: ClassVar[str] = "by request from Zenodo, record 3451524"
    terms: ClassVar[str] = "JAFFE is given out for research only, not for business; its pictures may not be passed on."

    def recognise(self, tree: Tree) -> Layout | None:
        photos = pictures_in_folders(tree)
        matches = [FILE_NAME.fullmatch(place.name) for place, _ in tree.pictures()]
        if any(match and match[2].upper() in CODES for match in matches):
            return self._named(tree, photos)
        return self._renamed(photos) or self._listed(tree)

    def _named(self, tree: Tree, photos: list[Photo]) -> Layout:
        emotions = {photo.name: photo.emotion for photo in photos if photo.emotion}
        odd = [name for name, emotion in emotions.items() if _emotion(name) not in (None, emotion)]
        if odd:
            self.notes.append(
                f"names count more than folders, and contradict them in {len(odd)} of {len(emotions)}: {odd[0]}"
            )
        title = "class folders, by file names" if emotions else "file names"
        return Layout(title, lambda: self._pictures(tree), subjects=True, published=PUBLISHED)

    def _renamed(self, photos: list[Photo]) -> Layout | None:
        if not photos or not renamed(photos) or any(photo.emotion is Emotion.CONTEMPT for photo in photos):
            return None
        self.notes.append("the pictures were renamed: nobody can tell who is on them, a split by subject is impossible")
        return Layout(
            "class folders, renamed pictures",
            lambda: (photo_entry(self, photo) for photo in photos),
            published=PUBLISHED,
        )

    def _listed(self, tree: Tree) -> Layout | None:
        """By its name alone: this is not the place for lists of the user's own photos."""
        tables = [name for name in tree.tables() if PurePosixPath(name).name.lower() == "data.csv"]
        if len(tables) != 1:
            return None
        table = open_photo_table(tree, tables[0])
        self.notes.append("the pictures were renamed: nobody can tell who is on them, a split by subject is impossible")
        return Layout("data.csv, renamed pictures", lambda: listed_photos(self, table), published=PUBLISHED)

    def _pictures(self, tree: Tree) -> Iterator[Sample | Rejected]:
        names = defaultdict(list)
        for place, _ in tree.pictures():
            if match := FILE_NAME.fullmatch(place.name):
                subject, code, take, number = match.groups()
                names[f"{subject}.{code}{take}.{number}".upper()].append(str(place))
            else:
                yield self.reject(str(place), DropReason.BAD_LABEL, "its name is not of the form KA.AN1.39.tiff")
        for stem, copies in sorted(names.items()):
            yield from self._picture(tree, stem, copies)

    def _picture(self, tree: Tree, stem: str, copies: list[str]) -> Iterator[Sample | Rejected]:
        name, *others = best_copy_first(copies)
        emotion = _emotion(name)
        if emotion is None:
            known = " ".join(CODES)
            yield self.reject(stem, DropReason.BAD_LABEL, f"{name}: {known} are known expressions")
            return
        image = EncodedImage(tree.members[name])
        yield Sample(f"{self.name}/{stem}", image, emotion, self.name, subject=stem.partition(".")[0])
        for other in others:
            yield self.reject(stem, DropReason.CONVERTED_COPY, f"{other} is the picture of {name} again")


def _emotion(name: str) -> Emotion | None:
    match = FILE_NAME.fullmatch(PurePosixPath(name).name)
    return CODES.get(match[2].upper()) if match else None
