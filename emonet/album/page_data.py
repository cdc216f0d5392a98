"""What the script of the album's page knows of each photo, as plain values for JSON."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from emonet.album.bursts import Burst
from emonet.album.entry import Entry
from emonet.labels import Emotion
from emonet.prediction import Prediction
from facecrop import Rejection
from facecrop.face import Box
from facecrop.text import printable

SHARES = 1000  # probabilities are whole thousandths


@dataclass(frozen=True, slots=True)
class PlainPhoto:
    """A photo as the page shows it until the script is there, or for good where there is none.

    Attributes:
        name: The path, with what cannot be printed written out.
        source: The address of the thumbnail; empty if the photo cannot be read.
        words: What was found in it.
    """

    name: str
    source: str
    words: str


def describe_plainly(entry: Entry, source: str) -> PlainPhoto:
    """Describe a photo in words, given the address of its thumbnail."""
    if entry.result.error is not None:
        words = entry.result.error.reason
    else:
        words = ", ".join(map(_say, entry.result.predictions)) or "no face"
    return PlainPhoto(printable(entry.path), source, words)


def _say(prediction: Prediction) -> str:
    said = f"{prediction.emotion} {prediction.confidence:.0%}"
    return f"unsure ({prediction.unsure}; {said})" if prediction.unsure else said


def make_photo_data(entry: Entry, classes: Sequence[Emotion], faces: Sequence[str], preview: str) -> dict[str, Any]:
    """Return what the script knows of a photo.

    Args:
        entry: The photo.
        classes: The order of the probabilities.
        faces: The addresses of the crops of its faces; empty without crops.
        preview: The address of a larger copy; empty if there is none.
    """
    name, result = printable(entry.path), entry.result
    data: dict[str, Any] = {"name": name, "size": [entry.width, entry.height]}
    if name != entry.path:
        data["path"] = entry.path  # as tables and corrections have it
    if result.predictions:
        crops = list(faces) or [""] * len(result.predictions)
        data["faces"] = [
            _make_face(one, entry, classes, crop) for one, crop in zip(result.predictions, crops, strict=True)
        ]
    if boxes := [_limit_box(one.face.box, entry) for one in result.rejections if one.face]:
        data["out"] = boxes
    if reasons := [*map(_explain, result.rejections), *([result.error.reason] if result.error else [])]:
        data["reasons"] = reasons
    if result.error is not None:
        data["failed"] = True
    if preview:
        data["preview"] = preview
    return data


def _make_face(prediction: Prediction, entry: Entry, classes: Sequence[Emotion], crop: str) -> dict[str, Any]:
    face = {
        "box": _limit_box(prediction.box, entry),
        "shares": [round(SHARES * prediction.probabilities.get(emotion, 0.0)) for emotion in classes],
        "answer": list(classes).index(prediction.emotion),
    }
    more = {"unsure": prediction.unsure, "crop": crop}
    return face | {name: value for name, value in more.items() if value}


def _limit_box(box: Box, entry: Entry) -> list[float]:
    """The part of a box that lies in the photo: x, y, width, height."""
    limits = (entry.width, entry.height, entry.width, entry.height)
    x1, y1, x2, y2 = (round(max(0.0, min(value, limit)), 1) for value, limit in zip(box, limits, strict=True))
    return [x1, y1, round(x2 - x1, 1), round(y2 - y1, 1)]


def _explain(rejection: Rejection) -> str:
    if rejection.face is None:
        return rejection.detail
    return f"a face was left out, {rejection.reason.replace('_', ' ')}: {rejection.detail}"


def make_burst_data(burst: Burst) -> dict[str, Any]:
    """Return what the script knows of a burst: its photos by their places in the album."""
    photos = [photo.number for photo in burst.photos]
    return {"photos": photos, "best": photos[burst.best], "reasons": list(burst.reasons)}


def locate_originals(photos: Path, album: Path) -> str:
    """Return the address of the folder of photos as the page in the album reaches it, with a slash at its end.

    A browser knows the page by the path by which it was opened: through a link, `..` is not the folder that holds it.
    """
    folder = photos if photos.is_dir() else photos.parent
    try:
        relative, as_given = (
            os.path.relpath(*both)
            for both in ((folder.resolve(), album.resolve()), (folder.absolute(), album.absolute()))
        )
    except ValueError:  # on another drive of Windows
        return f"{folder.resolve().as_uri()}/"
    if relative != as_given and album.resolve() != album.absolute():
        return f"{folder.resolve().as_uri()}/"
    return f"{quote(os.fsencode(Path(relative).as_posix()))}/"
