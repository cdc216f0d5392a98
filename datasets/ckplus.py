"""CK+: 593 filmed expressions of 123 people, from neutral to the peak; 327 are labelled (Lucey et al. 2010).

    cohn-kanade-images/S005/001/S005_001_00000001.png     frames, or extended-cohn-kanade-images
    Emotion/S005/001/S005_001_00000011_emotion.txt        "   3.0000000e+00"; also Emotion_labels, emotions, Labels
    Landmarks/S005/001/S005_001_00000011_landmarks.txt    68 lines "x y"; optional, as is FACS/

Files are recognised by their names alone, so they may be in any folders or in the zips they came in. Codes: 0 neutral,
1 anger, 2 contempt, 3 disgust, 4 fear, 5 happy, 6 sadness, 7 surprise. Without an emotion file a sequence has no label,
and many folders of labels are empty. Frame numbers may start anywhere and have gaps; frames are 640x490, 640x480 or
720x480, grey or colour.

    CK+48/anger/S010_004_00000017.png                     the last three frames of each labelled sequence as 48x48 faces
    ckextended.csv                                        emotion,pixels,Usage: 48x48 faces without names
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import PurePosixPath
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from emonet.datasets.formats.class_folders import (
    LabelledFile,
    find_labelled_images,
    make_entry,
    sort_copies,
    were_renamed,
)
from emonet.datasets.formats.coded_rows import read_coded_rows
from emonet.datasets.formats.pixel_table import open_pixel_table
from emonet.datasets.formats.tree import Tree
from emonet.datasets.reader import Layout, Published, Reader
from emonet.datasets.sample import Blob, DropReason, EncodedImage, Rejected, Sample
from emonet.errors import DatasetError
from emonet.labels import Emotion
from facecrop import CropSpec
from facecrop.images import IMAGE_SUFFIXES

CODES: dict[float, Emotion] = {
    0: Emotion.NEUTRAL,
    1: Emotion.ANGRY,
    2: Emotion.CONTEMPT,
    3: Emotion.DISGUST,
    4: Emotion.FEAR,
    5: Emotion.HAPPY,
    6: Emotion.SAD,
    7: Emotion.SURPRISE,
}
TABLE_CODES = dict(zip("01234567", Emotion, strict=True))  # ckextended.csv follows FER2013, contempt is 7

SEQUENCES = {
    Emotion.ANGRY: 45,
    Emotion.CONTEMPT: 18,
    Emotion.DISGUST: 59,
    Emotion.FEAR: 25,
    Emotion.HAPPY: 69,
    Emotion.SAD: 28,
    Emotion.SURPRISE: 83,
}
CROPS = {emotion: 3 * count for emotion, count in SEQUENCES.items()}  # CK+48 holds the last three frames of each

# S005_001_00000011.png, ..._emotion.txt; the publisher's own README writes S0005 for S005 once.
FILE_NAME = re.compile(r"S(\d+)_(\d+)_(\d+)(?:_(emotion|landmarks)\.txt|\.(?:png|jpe?g|tiff?))", re.IGNORECASE)
TABLE_NAME = re.compile(r"(?<![a-z])ck", re.IGNORECASE)

Frame = tuple[int, int, int]  # numbers of the subject, the sequence and the frame


@dataclass(slots=True)
class Files:
    """The files of an official tree by the numbers in their names.

    Several names for one frame are copies of each other.
    """

    images: dict[Frame, list[str]] = field(default_factory=lambda: defaultdict(list))
    labels: dict[tuple[int, int], list[str]] = field(default_factory=lambda: defaultdict(list))
    landmarks: dict[Frame, str] = field(default_factory=dict)
    strangers: list[str] = field(default_factory=list)  # images with other names

    @classmethod
    def of(cls, tree: Tree) -> Files:
        """Sort the files of a tree."""
        files = cls()
        for name in tree.members:
            place = PurePosixPath(name)
            match = FILE_NAME.fullmatch(place.name)
            if match is None:
                files.strangers += [name] if place.suffix.lower() in IMAGE_SUFFIXES else []
            else:
                files._add(name, (int(match[1]), int(match[2]), int(match[3])), (match[4] or "").lower())
        return files

    def _add(self, name: str, frame: Frame, kind: str) -> None:
        if kind == "emotion":
            self.labels[frame[:2]].append(name)
        elif kind == "landmarks":
            self.landmarks.setdefault(frame, name)
        else:
            self.images[frame].append(name)


class CkPlus(Reader):
    """CK+ as it is published, or one of two collections of crops from it.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from emonet.datasets import CkPlus
        >>> folder = Path(tempfile.mkdtemp()) / "anger"
        >>> folder.mkdir()
        >>> (folder / "S010_004_00000017.png").touch()
        >>> [(sample.subject, sample.frame, sample.emotion.value) for sample in CkPlus(folder.parent)]
        [('S010', 17, 'angry')]
    """

    name: ClassVar[str] = "ckplus"
    title: ClassVar[str] = "CK+"
    accepts: ClassVar[str] = "the folder with its four parts, or CK+48"
    classes: ClassVar[tuple[Emotion, ...]] = tuple(CODES.values())
    sequences: ClassVar[int | None] = 593
    people: ClassVar[int | None] = 123
    published: ClassVar[Published | None] = Published({"": SEQUENCES}, "sequences")
    expected: ClassVar[str] = (
        "cohn-kanade-images/S005/001/S005_001_00000001.png and Emotion/S005/001/S005_001_00000011_emotion.txt, "
        "CK+48/anger/S010_004_00000017.png, or ckextended.csv"
    )
    home: ClassVar[str] = "by request from the University of Pittsburgh"
    terms: ClassVar[str] = "CK+ is given out for research only, by agreement; its images may not be passed on."

    def recognise(self, tree: Tree) -> Layout | None:
        files = Files.of(tree)
        crops = find_labelled_images(tree)
        if not files.images:
            return self._renamed_crops(crops) or self._table(tree)
        if crops and files.labels:
            raise DatasetError(tree.path, "CK+48 lies beside the official tree: give the folder of one of them")
        return self._last_frames(files, crops) if crops else self._official(tree, files)

    def _official(self, tree: Tree, files: Files) -> Layout | None:
        if not files.labels and tree.archives():
            return None  # the labels may lie in their zip
        if not files.labels:
            self.notes.append("no emotion file was found (Emotion_labels.zip): every sequence is without a label")
        return Layout(
            "official tree",
            lambda: self._read_sequences(tree, files),
            subjects=True,
            starts_neutral=True,
            published=self.published,
        )

    def _read_sequences(self, tree: Tree, files: Files) -> Iterator[Sample | Rejected]:
        for sequence, grouped in groupby(sorted(files.images), key=lambda frame: frame[:2]):
            frames = list(grouped)
            try:
                emotion = read_emotion(tree, files.labels.get(sequence, []))
            except DatasetError as error:
                yield from (self.reject(_stem(frame), DropReason.BAD_LABEL, str(error)) for frame in frames)
                continue
            for frame in frames:
                sample = self._make_sample(tree.members, frame, files.images[frame], emotion)
                landmarks = files.landmarks.get(frame)
                yield replace(sample, points=tree.members[landmarks]) if landmarks else sample
                yield from self._reject_copies(frame, files.images[frame])
        yield from self._reject_strangers(files)

    def _last_frames(self, files: Files, crops: list[LabelledFile]) -> Layout:
        if any(crop.split for crop in crops):
            self.notes.append(
                "the folders' splits are not used: they are nobody's official ones, and names tell people"
            )
        labelled = {crop.name: crop for crop in crops}
        return Layout(
            "CK+48 folders",
            lambda: self._read_crops(files, labelled),
            framing=CropSpec.fer2013(),
            subjects=True,
            published=Published({"": CROPS}),
        )

    def _read_crops(self, files: Files, crops: dict[str, LabelledFile]) -> Iterator[Sample | Rejected]:
        members = {name: crop.blob for name, crop in crops.items()}
        for frame, names in sorted(files.images.items()):
            emotions = {crops[name].emotion for name in names}
            emotion = emotions.pop()
            if emotion is None or emotions:
                trouble = crops[names[0]].trouble or f"it lies in folders of different expressions: {', '.join(names)}"
                yield self.reject(_stem(frame), DropReason.BAD_LABEL, trouble)
            else:
                yield self._make_sample(members, frame, names, emotion)
                yield from self._reject_copies(frame, names)
        yield from self._reject_strangers(files)

    def _make_sample(self, members: dict[str, Blob], frame: Frame, names: list[str], emotion: Emotion | None) -> Sample:
        subject, sequence, number = frame
        return Sample(
            f"{self.name}/{_stem(frame)}",
            EncodedImage(members[sort_copies(names)[0]]),
            emotion,
            self.name,
            subject=f"S{subject:03d}",
            sequence=f"S{subject:03d}_{sequence:03d}",
            frame=number,
        )

    def _reject_copies(self, frame: Frame, names: list[str]) -> Iterator[Rejected]:
        kept, *copies = sort_copies(names)
        for name in copies:
            yield self.reject(_stem(frame), DropReason.CONVERTED_COPY, f"{name} is the frame of {kept} again")

    def _reject_strangers(self, files: Files) -> Iterator[Rejected]:
        for name in files.strangers:
            yield self.reject(name, DropReason.BAD_LABEL, "its name is no frame's (S005_001_00000011.png)")

    def _renamed_crops(self, crops: list[LabelledFile]) -> Layout | None:
        if not were_renamed(crops):
            return None
        self.notes.append("the images were renamed: nobody can tell who is on them, a split by subject is impossible")
        return Layout(
            "class folders, renamed images",
            lambda: (make_entry(self, crop) for crop in crops),
            framing=CropSpec.fer2013(),
            published=Published({"": CROPS}),
        )

    def _table(self, tree: Tree) -> Layout | None:
        tables = [name for name in tree.tables() if TABLE_NAME.search(PurePosixPath(name).name)]
        if len(tables) != 1:
            return None
        table = open_pixel_table(tree, tables[0], ("emotion", "pixels", "usage"))
        self.notes.append("nobody can tell who is on the images of this table: a split by subject is impossible")
        return Layout(
            PurePosixPath(tables[0]).name,
            lambda: read_coded_rows(self.name, table, TABLE_CODES),
            framing=CropSpec.fer2013(),
        )


def _stem(frame: Frame) -> str:
    subject, sequence, number = frame
    return f"S{subject:03d}_{sequence:03d}_{number:08d}"


def read_emotion(tree: Tree, names: list[str]) -> Emotion | None:
    """Read the label of a sequence from its emotion files; None if there are none.

    Raises:
        DatasetError: A file holds no code, or two files contradict each other.
    """
    emotions = {name: _read_code(name, tree.members[name]) for name in names}
    if len(set(emotions.values())) > 1:
        said = ", ".join(f"{name}: {emotion}" for name, emotion in emotions.items())
        raise DatasetError(names[0], f"the sequence has two labels ({said})")
    return next(iter(emotions.values()), None)


def _read_code(name: str, blob: Blob) -> Emotion:
    try:
        text = blob.read().decode("ascii", "replace").strip()
        return CODES[float(text)]  # 3.0 finds 3
    except OSError as error:
        raise DatasetError(name, f"cannot be read: {error}") from error
    except (ValueError, KeyError) as error:
        raise DatasetError(name, f"{text[:40]!r} is no code from 0 to 7") from error


def read_points(blob: Blob) -> NDArray[np.float64]:
    """Read the 68 landmarks (x, y) of one frame, (68, 2), in pixels of the frame."""
    try:
        points = np.array([line.split() for line in blob.read().splitlines() if line.strip()], dtype=np.float64)
    except (OSError, ValueError) as error:
        raise DatasetError(blob.name, f"no landmarks that can be read: {error}") from error
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise DatasetError(blob.name, f"68 lines of x and y are expected, found {points.shape}")
    return points
