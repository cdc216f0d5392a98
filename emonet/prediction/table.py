"""Predictions as rows of a table: one for each face, and one with the reason for each image without any."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from emonet.labels import Emotion
from emonet.prediction.prediction import PhotoResult, Prediction
from facecrop import Face, Rejection
from facecrop.face import LANDMARK_NAMES
from facecrop.packages import importing
from facecrop.text import as_text

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

BUNDLED_CLASSES = tuple(emotion for emotion in Emotion if emotion is not Emotion.CONTEMPT)
ARROW = "emonet[tables]"  # the extra that brings pyarrow
BOX = ("x1", "y1", "x2", "y2")
LANDMARKS = tuple(f"{name}_{axis}" for name in LANDMARK_NAMES for axis in "xy")

UNREADABLE = "unreadable"  # the reason of an image that cannot be read; other reasons are facecrop's


def to_table(results: Iterable[PhotoResult], classes: Sequence[Emotion] | None = None) -> pa.Table:
    """Put results into an Arrow table.

    The table has a row for each prediction, for each face that was left out, and for each image without a face.

    Args:
        results: What `predict_many` returned.
        classes: Those of the predictor. By default, the first prediction tells them; without any prediction, they are
            those of the bundled models.

    Returns:
        A table with these columns; what does not apply to a row is null:

        - `path`, and `face`, the number of the face from the left, from 1;
        - `emotion`, the most probable class, and `unsure`, why it is not given as the answer; empty if it is;
        - `confidence`, and the probability of each class: `p_angry`, `p_happy`, ...;
        - `reason`, why there is no prediction, and `detail`, more about it;
        - `x1`, `y1`, `x2`, `y2`, the box; `score`, the detector's; `left_eye_x`, `left_eye_y`, ..., the landmarks.

    Raises:
        MissingPackageError: pyarrow is not installed.

    Examples:
        >>> from emonet import PhotoResult, to_table
        >>> from facecrop import Reason, Rejection
        >>> table = to_table([PhotoResult("sea.jpg", rejections=(Rejection(Reason.NO_FACE, "no face was found"),))])
        >>> table["path"][0].as_py(), table["reason"][0].as_py()
        ('sea.jpg', 'no_face')
    """
    with importing("a table", ARROW):
        import pyarrow as pa

    found = list(results)
    schema = make_schema(_choose_classes(found, classes))
    return pa.Table.from_pylist([row for result in found for row in make_rows(result)], schema=schema)


def to_dataframe(results: Iterable[PhotoResult], classes: Sequence[Emotion] | None = None) -> pd.DataFrame:
    """Put results into a pandas data frame.

    Args:
        results: What `predict_many` returned.
        classes: As in `to_table`.

    Returns:
        A data frame with the rows and columns of `to_table`; what does not apply to a row is missing.

    Raises:
        MissingPackageError: pandas is not installed.

    Examples:
        >>> import numpy as np
        >>> from emonet import predict_many, to_dataframe
        >>> frame = to_dataframe(predict_many([np.zeros((60, 90, 3), np.uint8)]))
        >>> frame.loc[0, "reason"], "p_happy" in frame.columns
        ('no_face', True)
    """
    with importing("a data frame", "pandas"):
        import pandas as pd

    found = list(results)
    kinds = {"string": "string", "int32": "Int32", "float64": "float64"}
    columns = list_columns(_choose_classes(found, classes))
    frame = pd.DataFrame([row for result in found for row in make_rows(result)], columns=list(columns))
    return frame.astype({name: kinds[kind] for name, kind in columns.items()})


def _choose_classes(results: Sequence[PhotoResult], given: Sequence[Emotion] | None) -> tuple[Emotion, ...]:
    if given is not None:
        return tuple(given)
    first = next((prediction for result in results for prediction in result.predictions), None)
    return tuple(first.probabilities) if first else BUNDLED_CLASSES


def list_columns(classes: Sequence[Emotion]) -> dict[str, str]:
    """List the columns of a table, as `to_table` describes them, with the names of their Arrow types."""
    columns = {"path": "string", "face": "int32", "emotion": "string", "unsure": "string", "confidence": "float64"}
    columns |= dict.fromkeys(map(name_column, classes), "float64")
    columns |= {"reason": "string", "detail": "string"}
    return columns | dict.fromkeys((*BOX, "score", *LANDMARKS), "float64")


def make_schema(classes: Sequence[Emotion]) -> pa.Schema:
    """Make the Arrow schema of a table."""
    with importing("a table", ARROW):
        import pyarrow as pa

    return pa.schema([(name, getattr(pa, kind)()) for name, kind in list_columns(classes).items()])


def name_column(emotion: Emotion) -> str:
    """Return the name of the column with the probability of a class."""
    return f"p_{emotion}"


def make_rows(result: PhotoResult) -> Iterator[dict[str, Any]]:
    """Make the rows of one image: predictions from left to right, then rejections or the error.

    Columns that do not apply are missing.
    """
    path = as_text(result.source)
    for number, prediction in enumerate(result.predictions, start=1):
        yield {"path": path, "face": number} | _describe_prediction(prediction) | _describe_face(prediction.face)
    for rejection in result.rejections:
        yield {"path": path} | _describe_rejection(rejection)
    if result.error is not None:
        yield {"path": path, "reason": UNREADABLE, "detail": result.error.reason}


def _describe_prediction(prediction: Prediction) -> dict[str, Any]:
    shares = {name_column(emotion): share for emotion, share in prediction.probabilities.items()}
    named = {"emotion": prediction.emotion.value, "unsure": prediction.unsure}
    return named | {"confidence": prediction.confidence} | shares


def _describe_rejection(rejection: Rejection) -> dict[str, Any]:
    face = {} if rejection.face is None else _describe_face(rejection.face)
    return {"reason": rejection.reason.value, "detail": rejection.detail} | face


def _describe_face(face: Face) -> dict[str, Any]:
    points = [value for point in face.landmarks or () for value in point]
    return dict(zip(BOX, face.box, strict=True)) | {"score": face.score} | dict(zip(LANDMARKS, points, strict=False))
