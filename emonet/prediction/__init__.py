"""Predict the expressions of the faces in images: in one, in many, or in crops of faces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from emonet.labels import Emotion
from emonet.prediction.doubts import DoubtRules
from emonet.prediction.inputs import GivenModel, to_rgb
from emonet.prediction.kept import keep_predictor
from emonet.prediction.prediction import PhotoResult, Prediction
from emonet.prediction.predictor import EmotionPredictor
from emonet.prediction.table import to_dataframe, to_table
from facecrop import Image, Source, read_image
from facecrop.packages import importing

__all__ = [
    "DoubtRules",
    "EmotionPredictor",
    "PhotoResult",
    "Prediction",
    "draw",
    "explain",
    "predict",
    "predict_many",
    "to_dataframe",
    "to_table",
]


def predict(
    image: Source,
    *,
    model: GivenModel | Sequence[GivenModel] = "emonet",
    head: str | None = None,
    prior: str | None = None,
    bgr: bool = False,
) -> list[Prediction]:
    """Find the faces of an image and the expressions that they appear to have.

    The model is opened at the first call and kept.

    Args:
        image: A path, the bytes of a file, an open file, a Pillow image or an array.
        model: `emonet`, `emonet_fast`, a model file, the folder of a run, an ONNX file, an open model, or a list of
            these, whose probabilities are averaged.
        head: The head of the model that answers, or `mean`; None takes the model's default.
        prior: `training`, `even` or `sqrt`, see emonet.heads.HeadChoice; None takes the model's default.
        bgr: Whether an array has its channels in the order of OpenCV: blue, green, red.

    Returns:
        A prediction for each face, from left to right; an empty list without a face. A prediction that is no answer
        says why in `unsure`.

    Raises:
        ImageError: The image cannot be read.
        MissingFileError: There is no such file.
        OptionError: The model has no such head or prior.

    Examples:
        >>> import numpy as np
        >>> from emonet import predict
        >>> predict(np.zeros((60, 90, 3), np.uint8))  # a black image has no face
        []
    """
    return keep_predictor(model, head, prior).predict(image, bgr=bgr)


def predict_many(
    images: Iterable[Source],
    *,
    model: GivenModel | Sequence[GivenModel] = "emonet",
    head: str | None = None,
    prior: str | None = None,
    bgr: bool = False,
) -> Iterator[PhotoResult]:
    """Find the faces of many images and their expressions, a batch at a time.

    The model is opened at the first call and kept. Only a batch of images is in memory.

    Args:
        images: Whatever yields images as `predict` takes them.
        model: As in `predict`.
        head: As in `predict`.
        prior: As in `predict`.
        bgr: As in `predict`.

    Returns:
        An iterator with a result for each image, in order. An image that cannot be read has its error there.

    Raises:
        TypeError: `images` is a single image.
        OptionError: The model has no such head or prior.

    Examples:
        >>> import numpy as np
        >>> from emonet import predict_many
        >>> for result in predict_many(["missing.jpg", np.zeros((60, 90, 3), np.uint8)]):
        ...     print(result.source, result.predictions, result.error)
        missing.jpg () missing.jpg: no such file
        1 () None
    """
    return keep_predictor(model, head, prior).predict_many(images, bgr=bgr)


def draw(image: Source, predictions: Iterable[Prediction], *, bgr: bool = False) -> Image:
    """Draw predictions into a copy of an image, as boxes and bars.

    Args:
        image: The image that the predictions are of, as `predict` takes it.
        predictions: What `predict` returned. Those that are unsure are grey.
        bgr: Whether an array has its channels in the order of OpenCV; then the copy has them so too.

    Returns:
        The copy as an array, RGB uint8.

    Raises:
        ImageError: The image cannot be read.

    Examples:
        >>> import numpy as np
        >>> from emonet import draw
        >>> draw(np.zeros((60, 90, 3), np.uint8), []).shape
        (60, 90, 3)
    """
    from emonet.prediction.drawing import draw_predictions

    drawn = draw_predictions(read_image(to_rgb(image, bgr=bgr)), list(predictions))
    return np.ascontiguousarray(drawn[..., ::-1]) if bgr else drawn


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
        OptionError: The head that answers has no such class, or the model is an ONNX file.
        MissingPackageError: PyTorch is not installed.
    """
    with importing("an explanation", "emonet[train]"):
        from emonet.explaining.photo import explain_face

    asked = predictor or keep_predictor()
    return explain_face(
        read_image(image),
        prediction.face,
        emotion or prediction.emotion,
        classifier=asked.network,
        crop=asked.models[0].crop,
        choice=asked.choices[0],
    )
