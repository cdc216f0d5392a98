"""From raw facial-expression data sets to a model that reads the faces in people's own photos."""

import typing

from emonet.labels import Emotion
from emonet.lazy import import_when_used as _import_when_used

if typing.TYPE_CHECKING:
    from emonet.album import predict_folder
    from emonet.datasets import open_store
    from emonet.errors import EmonetError
    from emonet.evaluation import evaluate
    from emonet.inference import from_pretrained, load_model
    from emonet.prediction import (
        DoubtRules,
        EmotionPredictor,
        PhotoResult,
        Prediction,
        draw,
        explain,
        predict,
        predict_many,
        to_dataframe,
        to_table,
    )
    from emonet.video import FrameResult, predict_video

__version__ = "0.1.0"
__all__ = [
    "DoubtRules",
    "EmonetError",
    "Emotion",
    "EmotionPredictor",
    "FrameResult",
    "PhotoResult",
    "Prediction",
    "__version__",
    "draw",
    "evaluate",
    "explain",
    "from_pretrained",
    "load_model",
    "open_store",
    "predict",
    "predict_folder",
    "predict_many",
    "predict_video",
    "to_dataframe",
    "to_table",
]

__getattr__, __dir__ = _import_when_used(
    __name__,
    {
        "album": ("predict_folder",),
        "datasets": ("open_store",),
        "errors": ("EmonetError",),
        "evaluation": ("evaluate",),
        "inference": ("from_pretrained", "load_model"),
        "prediction": (
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
        ),
        "video": ("FrameResult", "predict_video"),
    },
)
