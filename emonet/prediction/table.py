"""Predictions as rows of a table: one a face, and one for each picture that has none, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from emonet.labels import Emotion
from emonet.prediction.prediction import PhotoResult, Prediction, written
from facecrop import Face, Rejection
from facecrop.face import LANDMARK_NAMES

if TYPE_CHECKING:
    import pyarrow as pa

BOX = ("x1", "y1", "x2", "y2")
LANDMARKS = tuple(f"{name}_{axis}" for name in LANDMARK_NAMES for axis in "xy")

UNREADABLE = "unreadable"  # the reason of a picture without pixels; other reasons are facecrop's


def to_table(results: Iterable[PhotoResult]) -> pa.Table:
    """A row for each face, each face that was left out, and each picture without any; see `columns`.

    Which classes there are is known from the first prediction.
    """
    import pyarrow as pa

    found = list(results)
    first = next((prediction for result in found for prediction in result.predictions), None)
    classes = tuple(first.probabilities) if first else ()
    return pa.Table.from_pylist([row for result in found for row in rows(result)], schema=schema(classes))


def schema(classes: Sequence[Emotion]) -> pa.Schema:
    """`path` and `face`, from 1 on, say where; then what: `emotion` and `confidence`, and a probability for each class,
    or the `reason` why there is none, and in `detail` more of it; last where in the picture the face is."""
    import pyarrow as pa

    fields = [("path", pa.string()), ("face", pa.int32())]
    fields += [("emotion", pa.string()), ("confidence", pa.float64())]
    fields += [(probability(emotion), pa.float64()) for emotion in classes]
    fields += [("reason", pa.string()), ("detail", pa.string())]
    fields += [(name, pa.float64()) for name in (*BOX, "score", *LANDMARKS)]
    return pa.schema(fields)


def probability(emotion: Emotion) -> str:
    """The name of a class's column."""
    return f"p_{emotion}"


def rows(result: PhotoResult) -> Iterator[dict[str, Any]]:
    """Faces from left to right, then what was left out. Columns that do not apply are missing."""
    path = written(result.source)
    for number, prediction in enumerate(result.predictions, start=1):
        yield {"path": path, "face": number} | _said(prediction) | _place(prediction.face)
    for rejection in result.rejections:
        yield {"path": path} | _left_out(rejection)
    if result.error is not None:
        yield {"path": path, "reason": UNREADABLE, "detail": result.error.reason}


def _said(prediction: Prediction) -> dict[str, Any]:
    shares = {probability(emotion): share for emotion, share in prediction.probabilities.items()}
    return {"emotion": prediction.emotion.value, "confidence": prediction.confidence} | shares


def _left_out(rejection: Rejection) -> dict[str, Any]:
    place = {} if rejection.face is None else _place(rejection.face)
    return {"reason": rejection.reason.value, "detail": rejection.detail} | place


def _place(face: Face) -> dict[str, Any]:
    points = [value for point in face.landmarks or () for value in point]
    return dict(zip(BOX, face.box, strict=True)) | {"score": face.score} | dict(zip(LANDMARKS, points, strict=False))
