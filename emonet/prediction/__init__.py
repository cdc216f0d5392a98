"""The expressions of the faces in photos: one photo, many, or faces that are cut out already."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from emonet.labels import Emotion
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


def explain(
    image: Source,
    prediction: Prediction,
    predictor: EmotionPredictor | None = None,
    *,
    emotion: Emotion | None = None,
) -> Image:
    """Colour on a copy of the image what in a face speaks for an expression.

    The map is Grad-CAM's, of the logit of the head that answers: yellow where most speaks for the expression. For the
    head `mean` it is the mean of the maps of all heads. It is computed by the network of the predictor, on its device.

    Args:
        image: The image of the prediction.
        prediction: The face.
        predictor: What made the prediction, unless `emonet.predict` did by the default head. Of several models the
            first is asked.
        emotion: The expression to explain, any class of the head that answers. None takes that of the prediction.

    Returns:
        RGB uint8.

    Raises:
        OptionError: The head that answers has no such class.
    """
    from emonet.explaining.photo import explain_face

    asked = predictor or _bundled(None, None)
    return explain_face(
        read_image(image),
        prediction.face,
        emotion or prediction.emotion,
        classifier=asked.classifiers[0],
        crop=asked.checkpoints[0].crop,
        choice=asked.choices[0],
    )


@cache
def _bundled(head: str | None, prior: str | None) -> EmotionPredictor:
    return EmotionPredictor(head=head, prior=prior)
