"""SFEW 2.0: frames of films with seven expressions (Static Facial Expressions in the Wild, Dhall et al. 2011 and 2015).

    Train/Train_Aligned_Faces/Angry/Airheads_000519240_00000005.png   143 x 181, turned until the eyes are level
    Val/Val_Aligned_Faces_new/Val_Aligned_Faces/Angry/...             or Val_Aligned_Faces, or the zips of these names
    Test/Test_Aligned_Faces/...                                       without labels: the contest kept them
    Train/Angry/Airheads_000519240_00000005.png                       whole frames, or Train/Angry.zip

Folders: Angry, Disgust, Fear, Happy, Neutral, Sad, Surprise. Names: film, time, person in the scene. The splits are
train, validation and test, with other people in each; who they are is not told. Papers score on the validation images.
There are 958, 436 and 372 frames; faces could be aligned in 891 and 431 of the first two. Terms: for research, by
agreement. Home: https://cs.anu.edu.au/few
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import ClassVar

from emonet.datasets.formats.archives import ZipBlob
from emonet.datasets.formats.tree import Tree
from emonet.datasets.labels import find_emotion
from emonet.datasets.reader import Choice, Layout, Published, Reader
from emonet.datasets.sample import Blob, DropReason, EncodedImage, Rejected, Sample
from emonet.errors import DatasetError
from emonet.labels import Emotion

CLASSES: tuple[Emotion, ...] = tuple(emotion for emotion in Emotion if emotion is not Emotion.CONTEMPT)
ALIGNED_COUNTS = {
    "train": dict(zip(CLASSES, (178, 52, 78, 184, 161, 94, 144), strict=True)),
    "validation": dict(zip(CLASSES, (77, 23, 46, 72, 73, 56, 84), strict=True)),
}
SPLITS = {"train": "train", "val": "validation", "test": "test"}

SPLIT_FOLDER = re.compile(r"(train|val|test)(?![a-z])", re.IGNORECASE)
FILE_NAME = re.compile(r".+_\d{9}_\d{8}")


class Sfew(Reader):
    """SFEW 2.0: its aligned faces, or whole frames.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from emonet.datasets import READERS
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "Train_Aligned_Faces" / "Angry").mkdir(parents=True)
        >>> (folder / "Train_Aligned_Faces" / "Angry" / "Airheads_000519240_00000005.png").touch()
        >>> [(sample.emotion.value, sample.split) for sample in READERS["sfew"](folder)]
        [('angry', 'train')]
    """

    name: ClassVar[str] = "sfew"
    title: ClassVar[str] = "SFEW 2.0"
    accepts: ClassVar[str] = "the folder with Train and Val, or with their zips"
    expected: ClassVar[str] = "Train/Train_Aligned_Faces/Angry/Airheads_000519240_00000005.png"
    home: ClassVar[str] = "by request from https://cs.anu.edu.au/few"
    terms: ClassVar[str] = "SFEW is given out for research only, by agreement; its images may not be passed on."
    classes: ClassVar[tuple[Emotion, ...]] = CLASSES
    images: ClassVar[int | None] = 958 + 436 + 372
    published: ClassVar[Published | None] = Published(ALIGNED_COUNTS)
    choices: ClassVar[Mapping[str, Choice]] = {
        "images": Choice("Read SFEW's aligned faces, or find faces in the whole frames", ("aligned", "original"))
    }
    needs_subjects: ClassVar[bool] = False  # its own splits keep people apart

    def recognise(self, tree: Tree) -> Layout | None:
        images = [*tree.images()]
        usable = [one for one in images if FILE_NAME.fullmatch(one[0].stem) and find_emotion(one[0].parent.name)]
        if not any(_find_split(tree, place) for place, _ in usable):
            return None
        chosen = self.chosen["images"]
        versions = {_find_version(place, blob) for place, blob in usable}
        if chosen not in versions:
            (other,) = versions
            if tree.archives():
                return None  # the chosen ones may lie in their zips
            option = f"images={other} (--sfew-images {other})"
            raise DatasetError(tree.path, f"there are no {chosen} images here; choose {option}")
        published = self.published if chosen == "aligned" else None
        return Layout(f"class folders, {chosen} images", lambda: self._read(tree, images), published=published)

    def _read(self, tree: Tree, images: list[tuple[PurePosixPath, Blob]]) -> Iterator[Sample | Rejected]:
        first: dict[str, PurePosixPath] = {}
        for place, blob in images:
            split = _find_split(tree, place)
            folder = place.parent.name if find_emotion(place.parent.name) else ""
            key = "/".join(filter(None, (split, folder, place.stem)))
            if _find_version(place, blob) != self.chosen["images"]:
                yield self.reject(key, DropReason.NOT_SELECTED, f"{place} is the other version", split)
            elif (known := first.setdefault(key, place)) != place:
                yield self.reject(key, DropReason.CONVERTED_COPY, f"{place} has the name of {known}", split)
            else:
                yield self._make(place, blob, key, split)

    def _make(self, place: PurePosixPath, blob: Blob, key: str, split: str | None) -> Sample | Rejected:
        emotion = find_emotion(place.parent.name)
        if split is None:
            return self.reject(key, DropReason.BAD_SPLIT, f"no folder above {place} is Train, Val or Test")
        if emotion is None and split == "test":
            return self.reject(key, DropReason.NO_LABEL, "the labels of the test images are not published", split)
        if emotion not in CLASSES:
            detail = f"its folder {place.parent.name!r} is named after no expression of SFEW"
            return self.reject(key, DropReason.BAD_LABEL, detail, split)
        return Sample(f"{self.name}/{key}", EncodedImage(blob), emotion, self.name, split=split)


def _find_split(tree: Tree, place: PurePosixPath) -> str | None:
    """The split that the nearest folder names, or what the user gave."""
    folders = (*reversed(place.parts[:-1]), tree.path.absolute().name)
    found = next(filter(None, map(SPLIT_FOLDER.match, folders)), None)
    return SPLITS[found[1].lower()] if found else None


def _find_version(place: PurePosixPath, blob: Blob) -> str:
    """The version that a folder names, or the archive: some hold the class folders alone."""
    archive = blob.path.name if isinstance(blob, ZipBlob) else ""
    return "aligned" if any("aligned" in part.lower() for part in (*place.parts[:-1], archive)) else "original"
