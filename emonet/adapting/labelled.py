"""Labels of a user's own photos, and what is known of the people on them.

photos/happy/1.jpg            folders named after expressions
photos/happy/anna/1.jpg       the same, with a folder for each person below
photos.csv                    path,label[,subject], or the corrections.csv of an album
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from emonet.album.labelled import FaceLabel, find_labels, match_labels
from emonet.album.photos import PhotoFile, list_photos
from emonet.database import holds_journal
from emonet.datasets.labels import find_emotion
from emonet.errors import MissingFileError, OptionError
from facecrop.face import Box
from facecrop.text import as_text


@dataclass(frozen=True, slots=True)
class LabelledPhotos:
    """The labelled photos of one place.

    Attributes:
        place: The folder or the table.
        photos: By the names that labels have.
        labels: The labels of each photo.
        people: Where people are known from, in words; empty if they are not.
        remarks: What cannot be used.
        confirmed: Whether the faces that have no label were answered rightly.
        dropped: The photos with the boxes of what is not a face.
    """

    place: Path
    photos: Mapping[str, PhotoFile]
    labels: Mapping[str, Sequence[FaceLabel]]
    people: str = ""
    remarks: Sequence[str] = ()
    confirmed: bool = False
    dropped: Mapping[str, Sequence[Box | None]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The photos to look at."""
        return list(self.photos if self.confirmed else self.labels)


def find_labelled_photos(place: Path, table: Path | None = None, *, confirmed: bool = False) -> LabelledPhotos:
    """Find the labels of photos: in a table, or by the names of folders.

    Args:
        place: A folder of photos, or a CSV whose paths are relative to it.
        table: A CSV with the labels of the photos in the folder.
        confirmed: Whether all faces that the table does not name were answered rightly.

    Raises:
        MissingFileError: There is no such folder or file.
        OptionError: The place has no labels.
        DatasetError: The table cannot be read.
    """
    if not place.exists():
        raise MissingFileError(f"no such folder or file: {place}")
    if place.is_file() and place.suffix.lower() != ".csv":
        raise OptionError(f"{place} is neither a folder of photos nor a CSV of labels")
    if place.is_dir() and holds_journal(place):
        raise OptionError(
            f"{place} is an album that `emonet predict` wrote: give the folder of photos, and by --labels the "
            "corrections.csv that you saved from the album"
        )
    folder, table = (place.parent, place) if place.is_file() else (place, table)
    photos = {as_text(photo.name): photo for photo in list_photos(folder).photos}
    if table is not None:
        return _match_table(place, table, folder, photos, confirmed=confirmed)
    if confirmed:
        raise OptionError("--confirmed needs a table of the faces that were not answered rightly: give --labels")
    return _name_by_folders(place, photos)


def _match_table(
    place: Path, table: Path, folder: Path, photos: Mapping[str, PhotoFile], *, confirmed: bool
) -> LabelledPhotos:
    if not table.is_file():
        raise MissingFileError(f"no such table of labels: {table}")
    found = match_labels(table, folder, photos)
    if confirmed and found.faults:  # of its face nobody knows that it was answered rightly
        raise OptionError(f"--confirmed needs a table whose rows can all be used: {table.name}, {found.faults[0]}")
    if not confirmed and not found.labels:
        raise OptionError(f"{table} names only what is not a face: there is nothing to learn from without --confirmed")
    remarks = [f"{table.name}: {path!r} fits no photo" for path in found.unmatched]
    remarks += [f"{table.name}: {fault}" for fault in found.faults]
    named = any(label.subject for labels in found.labels.values() for label in labels)
    people = "the column subject" if named else ""
    return LabelledPhotos(place, photos, found.labels, people, remarks, confirmed, found.dropped)


def _name_by_folders(place: Path, photos: Mapping[str, PhotoFile]) -> LabelledPhotos:
    labels = find_labels(photos)
    if not labels:
        raise OptionError(
            f"no photo below {place} is in a folder named after one expression, such as happy or sad: sort the "
            "photos into such folders, or give a CSV of path,label by --labels"
        )
    subjects = find_subjects(labels)
    known = {path: [FaceLabel(emotion, subject=subjects.get(path, ""))] for path, emotion in labels.items()}
    remarks = []
    if len(known) < len(photos):
        remarks.append(f"{place}: {len(photos) - len(known):,} photos are in no folder of one expression")
    return LabelledPhotos(place, photos, known, "folders below the expressions" if subjects else "", remarks)


def find_subjects(paths: Iterable[str]) -> dict[str, str]:
    """Find who is in photos by the folders below those of the expressions: happy/anna/1.jpg is of anna.

    Args:
        paths: Photos in folders that are named after expressions.

    Returns:
        Path -> person; empty unless all photos lie in folders of people.
    """
    below = {path: _folders_below(path) for path in paths}
    return {path: folders[0] for path, folders in below.items()} if all(below.values()) else {}


def _folders_below(path: str) -> tuple[str, ...]:
    """Return the folders between the lowest one that is named after an expression and the photo."""
    folders = PurePosixPath(path).parts[:-1]
    named = [place for place, folder in enumerate(folders) if find_emotion(folder) is not None]
    return folders[named[-1] + 1 :] if named else ()
