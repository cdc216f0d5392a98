"""The expressions of the faces in photos: one photo, many, or faces that are cut out already."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from emonet.prediction.prediction import PhotoResult, Prediction
from emonet.prediction.predictor import EmotionPredictor
from emonet.prediction.table import to_table
from facecrop import read_image
from facecrop.images import Image, Source

__all__ = ["EmotionPredictor", "PhotoResult", "Prediction", "draw", "explain", "predict", "to_table"]


def predict(image: Source, *, head: str | None = None, prior: str | None = None) -> list[Prediction]:
    """Find the faces of a picture, and the expressions they appear to have.

    The bundled model is opened at the first call, and kept.

    Args:
        image: A path, bytes, an array or a Pillow image.
        head: The head of the model that answers, or `mean`; None takes the model's default.
        prior: `training`, `even` or `sqrt`, see emonet.heads.HeadChoice; None takes the model's default.

    Returns:
        A prediction for each face, from left to right; no face, an empty list.

    Raises:
        ImageError: The picture cannot be read.
        ValueError: The model has no such head or prior.
    """
    return _bundled(head, prior).predict(image)


def draw(image: Source, predictions: Iterable[Prediction]) -> Image:
    """A copy of the picture with boxes and bars, RGB uint8."""
    from emonet.prediction.drawing import drawn

    return drawn(read_image(image), list(predictions))


def explain(image: Source, prediction: Prediction, predictor: EmotionPredictor | None = None) -> Image:
    """Colour on a copy of the picture what in a face speaks for its expression.

    That is Grad-CAM's map of the score of the head that answers, yellow where most speaks for the expression. For the
    head `mean` it is the mean of the maps of all heads.

    Args:
        image: The picture of the prediction.
        prediction: The face, and the expression that is explained.
        predictor: What made the prediction, unless `emonet.predict` did by the default head. Of several models the
            first is asked.

    Returns:
        RGB uint8.

    Raises:
        ValueError: The expression is none of the classes of the head that answers.
    """
    from emonet.explaining.photo import explained

    asked = predictor or _bundled(None, None)
    return explained(read_image(image), prediction.face, prediction.emotion, asked.checkpoints[0], asked.choices[0])


@cache
def _bundled(head: str | None, prior: str | None) -> EmotionPredictor:
    return EmotionPredictor(head=head, prior=prior)
