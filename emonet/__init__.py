"""From raw facial-expression data sets to a model that reads the faces in people's own photos."""

from emonet.labels import Emotion

__version__ = "0.1.0"
__all__ = ["Emotion", "__version__"]
