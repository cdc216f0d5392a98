"""From raw facial-expression data sets to a model that reads the faces in people's own photos."""

import importlib
import typing

from emonet.labels import Emotion

if typing.TYPE_CHECKING:
    from emonet.prediction import EmotionPredictor, PhotoResult, Prediction, draw, explain, predict, to_table

__version__ = "0.1.0"
__all__ = [
    "Emotion",
    "EmotionPredictor",
    "PhotoResult",
    "Prediction",
    "__version__",
    "draw",
    "explain",
    "predict",
    "to_table",
]


def __getattr__(name: str) -> typing.Any:
    """What predicts is imported when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("emonet.prediction"), name)


def __dir__() -> list[str]:
    return __all__
