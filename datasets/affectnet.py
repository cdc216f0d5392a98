"""AffectNet: faces from the web, 291,651 of them labelled by hand with eight expressions (Mollahosseini et al. 2017).

    Manually_Annotated_file_lists/training.csv, validation.csv      or beside the images; header:
        subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal
    Manually_Annotated_Images/689/737db2483489148d783ef278f43f486c0a97e140fc4b6b61b84363ca.jpg
    Automatically_Annotated_file_lists/automatically_annotated.csv      the same columns; a network gave the labels
    Automatically_Annotated_Images/1/...

    train_set/images/0.jpg, train_set/annotations/0_exp.npy         the later release: faces of 224 x 224, labels in
    val_set/images/0.jpg, val_set/annotations/0_exp.npy             arrays of one text; also _val, _aro and _lnd

Codes: 0 neutral, 1 happy, 2 sad, 3 surprise, 4 fear, 5 disgust, 6 anger, 7 contempt; 8 none, 9 uncertain and 10 no face
are no expressions. Seven classes are `--classes fer7`, which drops contempt; eight are `--classes ck8`. Images of the
first release are whole photos: each face is read with its surroundings, so that it is found and cut out as in any
photo. Labels of the test images are not published, so papers score on `validation`. Nobody can tell who is on the
images. Terms: for research; the head of a laboratory signs. Home: http://mohammadmahoor.com/affectnet
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import ClassVar

import numpy as np

from emonet.datasets.formats.text_rows import read_csv_rows
from emonet.datasets.formats.tree import Tree
from emonet.datasets.reader import Choice, Layout, Published, Reader
from emonet.datasets.sample import Blob, DropReason, EncodedImage, RegionImage, Rejected, Sample
from emonet.errors import DatasetError
from emonet.labels import Emotion
from facecrop import CropSpec

CODES = {
    "0": Emotion.NEUTRAL,
    "1": Emotion.HAPPY,
    "2": Emotion.SAD,
    "3": Emotion.SURPRISE,
    "4": Emotion.FEAR,
    "5": Emotion.DISGUST,
    "6": Emotion.ANGRY,
    "7": Emotion.CONTEMPT,
}
NO_EXPRESSION = {"8": "none", "9": "uncertain", "10": "no face"}
COUNTS = {
    "train": dict(zip(CODES.values(), (74_874, 134_415, 25_459, 14_090, 6378, 3803, 24_882, 3750), strict=True)),
    "validation": dict.fromkeys(CODES.values(), 500),
}
COLUMNS = (
    *("subDirectory_filePath", "face_x", "face_y", "face_width", "face_height"),
    *("facial_landmarks", "expression", "valence", "arousal"),
)
PATH = COLUMNS[0]
NEEDED = (PATH, "face_x", "face_y", "face_width", "face_height", "expression")
LISTS = {
    "manual": {"training.csv": "train", "validation.csv": "validation"},
    "automatic": {"automatically_annotated.csv": "train"},
}
LISTS["both"] = LISTS["manual"] | LISTS["automatic"]
SETS = {"train_set": "train", "val_set": "validation"}
CROPPED = CropSpec(size=224)  # how wide a margin it has is not published

Photos = Mapping[str, Blob]  # the last two parts of a file's path, in lower case -> the file


class AffectNet(Reader):
    """AffectNet in its first release of whole photos, or its later one of faces.

    Examples:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from emonet.datasets import READERS
        >>> folder = Path(tempfile.mkdtemp()) / "train_set"
        >>> (folder / "images").mkdir(parents=True)
        >>> (folder / "annotations").mkdir()
        >>> (folder / "images" / "0.jpg").touch()
        >>> np.save(folder / "annotations" / "0_exp.npy", np.array("6"))
        >>> [(sample.emotion.value, sample.split) for sample in READERS["affectnet"](folder.parent)]
        [('angry', 'train')]
    """

    name: ClassVar[str] = "affectnet"
    title: ClassVar[str] = "AffectNet"
    accepts: ClassVar[str] = "the folder with its lists and images, or the one with train_set and val_set"
    expected: ClassVar[str] = (
        "Manually_Annotated_file_lists/training.csv and Manually_Annotated_Images/689/NAME.jpg, or "
        "train_set/images/0.jpg and train_set/annotations/0_exp.npy"
    )
    home: ClassVar[str] = "by request from http://mohammadmahoor.com/affectnet"
    terms: ClassVar[str] = (
        "AffectNet is given out for research only, to heads of laboratories who sign for it; its images may not be "
        "passed on."
    )
    images: ClassVar[int | None] = 291_651
    published: ClassVar[Published | None] = Published(COUNTS)
    choices: ClassVar[Mapping[str, Choice]] = {
        "labels": Choice("Read AffectNet's labels by people, by a network, or both", tuple(LISTS))
    }
    needs_subjects: ClassVar[bool] = False  # it has none

    def recognise(self, tree: Tree) -> Layout | None:
        labels = self.chosen["labels"]
        if any(_find_set(place) for place, _ in tree.images()):
            if labels != "manual":
                raise DatasetError(tree.path, f"this release has labels by people only; {labels} ones were asked for")
            return Layout("image sets", lambda: self._read_sets(tree), framing=CROPPED, published=self.published)
        lists = [name for name in tree.tables() if PurePosixPath(name).name.lower() in LISTS["both"]]
        photos = {place: blob for place, blob in tree.images() if labels in ("both", _find_kind(tree.path, place))}
        if not lists or (not photos and tree.archives()):
            return None
        chosen = [name for name in lists if PurePosixPath(name).name.lower() in LISTS[labels]]
        if not chosen:
            raise DatasetError(tree.path, f"there is no list of {labels} labels here, only {', '.join(lists)}")
        for name in chosen:
            _find_columns(tree, name)
        if others := sum(1 for _ in tree.images()) - len(photos):
            self.notes.append(f"labels={labels}: {others:,} images of the other kind of labels are not read")
        published = self.published if labels == "manual" else None
        return Layout(", ".join(chosen), lambda: self._read_lists(tree, chosen, photos), published=published)

    def _read_lists(
        self, tree: Tree, lists: list[str], found: Mapping[PurePosixPath, Blob]
    ) -> Iterator[Sample | Rejected]:
        photos = {"/".join(place.parts[-2:]).lower(): blob for place, blob in found.items()}
        listed: dict[str, str] = {}
        for name in lists:
            split = LISTS["both"][PurePosixPath(name).name.lower()]
            for number, row in _read_list(tree, name):
                key, where = row.get(PATH, ""), f"{name}, row {number}"
                if not key or any(column not in row for column in NEEDED):
                    key = f"{PurePosixPath(name).name}/{number}"
                    yield self.reject(key, DropReason.BAD_ROW, f"{where}: it lacks columns", split)
                elif (first := listed.setdefault(key.lower(), where)) != where:
                    yield self.reject(key, DropReason.BAD_ROW, f"{where}: the same image as in {first}", split)
                else:
                    yield self._make(row, photos, split, where)
        for place in sorted(set(photos) - set(listed)):
            yield self.reject(place, DropReason.NO_LABEL, "no list has it")

    def _make(self, row: Mapping[str, str], photos: Photos, split: str, where: str) -> Sample | Rejected:
        key, code = row[PATH], row["expression"].strip()
        if trouble := self._check_code(key, code, split, where):
            return trouble
        box = _parse_box(row)
        if box is None:
            return self.reject(key, DropReason.BAD_ROW, f"{where}: face_x to face_height are no box", split)
        photo = photos.get(key.lower())
        if photo is None:
            return self.reject(key, DropReason.UNREADABLE, f"{where}: there is no image {key!r}", split)
        image = RegionImage(EncodedImage(photo), box)
        return Sample(f"{self.name}/{key}", image, CODES[code], self.name, split=split)

    def _check_code(self, key: str, code: str, split: str, where: str) -> Rejected | None:
        if code in NO_EXPRESSION:
            return self.reject(key, DropReason.NO_LABEL, f"labelled {NO_EXPRESSION[code]}", split)
        if code not in CODES:
            return self.reject(key, DropReason.BAD_LABEL, f"{where}: expression {code[:40]!r}, not 0 to 10", split)
        return None

    def _read_sets(self, tree: Tree) -> Iterator[Sample | Rejected]:
        for place, blob in tree.images():
            folder = _find_set(place)
            if folder is None:
                yield self.reject(str(place), DropReason.BAD_LABEL, "it lies in no train_set/images or val_set/images")
                continue
            split, key = SETS[folder.name.lower()], f"{folder.name}/{place.stem}"
            labels = tree.members.get(str(folder / "annotations" / f"{place.stem}_exp.npy"))
            if labels is None:
                yield self.reject(key, DropReason.NO_LABEL, f"{place.stem}_exp.npy is not there", split)
                continue
            code = _read_code(labels)
            trouble = self._check_code(key, code, split, f"{place.stem}_exp.npy")
            yield trouble or Sample(f"{self.name}/{key}", EncodedImage(blob), CODES[code], self.name, split=split)


def _find_set(place: PurePosixPath) -> PurePosixPath | None:
    """The folder train_set or val_set that an image lies in."""
    inside = place.parent.name.lower() == "images" and place.parent.parent.name.lower() in SETS
    return place.parent.parent if inside else None


def _find_kind(root: Path, place: PurePosixPath) -> str:
    """Whose labels an image has: the folder says it where there are both kinds."""
    automatic = any(part.lower().startswith("automatically_annotated") for part in (root.absolute().name, *place.parts))
    return "automatic" if automatic else "manual"


def _find_columns(tree: Tree, name: str) -> tuple[list[str], bool]:
    """Return the columns of a list, and whether its first row is a header; some copies have none."""
    _, cells = next(read_csv_rows(tree, name), (0, []))
    header = [cell.strip() for cell in cells]
    if len(header) == len(COLUMNS) and PATH not in header and "/" in header[0]:
        return [*COLUMNS], False
    if missing := [column for column in NEEDED if column not in header]:
        found = ", ".join(header)[:200] or "nothing"
        raise DatasetError(tree.path / name, f"no column {', '.join(missing)}; found {found}", 1)
    return header, True


def _read_list(tree: Tree, name: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number of each row of a list, and those of its cells that are needed."""
    columns, has_header = _find_columns(tree, name)
    for number, cells in read_csv_rows(tree, name):
        if number > 1 or not has_header:
            yield number, {column: cell for column, cell in zip(columns, cells, strict=False) if column in NEEDED}


def _parse_box(row: Mapping[str, str]) -> tuple[float, float, float, float] | None:
    """Return left, top, right and bottom; None if they are no box."""
    try:
        left, top, width, height = (float(row[name]) for name in ("face_x", "face_y", "face_width", "face_height"))
    except ValueError:
        return None
    usable = all(map(math.isfinite, (left, top, width, height))) and width > 0 and height > 0
    return (left, top, left + width, top + height) if usable else None


def _read_code(blob: Blob) -> str:
    """Read the label in a file of one array; empty if it holds none."""
    try:
        array = np.load(io.BytesIO(blob.read()), allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return ""
    return str(array.item()).strip() if isinstance(array, np.ndarray) and array.size == 1 else ""
