"""From raw facial-expression data sets to a model that reads the faces in people's own photos."""

import importlib
import typing

from emonet.labels import Emotion

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

_PLACES = {  # where names come from, unless from emonet.prediction
    "EmonetError": ("emonet.errors", "EmonetError"),
    "FrameResult": ("emonet.video", "FrameResult"),
    "evaluate": ("emonet.evaluation", "evaluate"),
    "from_pretrained": ("emonet.inference", "from_pretrained"),
    "load_model": ("emonet.inference", "load_model"),
    "open_store": ("emonet.datasets", "open_store"),
    "predict_folder": ("emonet.album", "predict_folder"),
    "predict_video": ("emonet.video", "predict_video"),
}


def __getattr__(name: str) -> typing.Any:
    """Import a public name when it is first used: `import emonet` stays cheap."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PLACES.get(name, ("emonet.prediction", name))
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return __all__
