"""Review the labels of a data set: find those that are likely to be wrong, and correct them by eye.

faces.py        what is known about each face, the sequences and the copies
opinions.py     a second opinion on each label: of a model, or from a file of answers
confident.py    which labels do not go with it (confident learning)
features.py     the map of the network's features
decisions.py    what a person decides, on disk at once; corrections.py makes of it what a build reads
review.py       all of these together; page.py, crops.py, originals.py and server.py show it in a browser
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from facecrop.packages import importing

if TYPE_CHECKING:
    from emonet.review.confident import LabelQuality, measure_labels
    from emonet.review.doubts import Doubt, find_doubtful
    from emonet.review.options import ReviewOptions
    from emonet.review.page import write_review
    from emonet.review.review import Review, open_review
    from emonet.review.server import ReviewServer

_MODULES = {
    "Doubt": "doubts",
    "LabelQuality": "confident",
    "Review": "review",
    "ReviewOptions": "options",
    "ReviewServer": "server",
    "find_doubtful": "doubts",
    "measure_labels": "confident",
    "open_review": "review",
    "write_review": "page",
}

__all__ = [
    "Doubt",
    "LabelQuality",
    "Review",
    "ReviewOptions",
    "ReviewServer",
    "find_doubtful",
    "measure_labels",
    "open_review",
    "write_review",
]


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: most of them bring torch, which commands do not need to show their help."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with importing("a review", "emonet[train]"):
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
