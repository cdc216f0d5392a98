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


def predict(image: Source) -> list[Prediction]:
    """The faces of a picture with the expressions they appear to have, from left to right; no face, an empty list.

    The bundled model is opened at the first call, and kept. Raises ImageError if the picture cannot be read.
    """
    return _bundled().predict(image)


def draw(image: Source, predictions: Iterable[Prediction]) -> Image:
    """A copy of the picture with boxes and bars, RGB uint8."""
    from emonet.prediction.drawing import drawn

    return drawn(read_image(image), list(predictions))


def explain(image: Source, prediction: Prediction, predictor: EmotionPredictor | None = None) -> Image:
    """A copy of the picture, RGB uint8, with colour on the face: yellow where most speaks for its expression.

    That is Grad-CAM's map. `predictor` is what made the prediction, unless `emonet.predict` did; of several models
    the first is asked.
    """
    from emonet.prediction.explanation import explained

    checkpoint = (predictor or _bundled()).checkpoints[0]
    return explained(read_image(image), prediction.face, prediction.emotion, checkpoint)


@cache
def _bundled() -> EmotionPredictor:
    return EmotionPredictor()
