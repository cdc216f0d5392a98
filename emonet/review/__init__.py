"""Review the labels of a data set: find those that are likely to be wrong, and correct them by eye.

faces.py        what is known about each face, the sequences and the copies
opinions.py     a second opinion on each label: of a model, or from a file of answers
confident.py    which labels do not go with it (confident learning)
features.py     the map of the network's features
decisions.py    what a person decides, on disk at once; corrections.py makes of it what a build reads
review.py       all of these together; page.py, crops.py, originals.py and server.py show it in a browser
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emonet.lazy import import_when_used

if TYPE_CHECKING:
    from emonet.review.confident import LabelQuality, measure_labels
    from emonet.review.doubts import Doubt, find_doubtful
    from emonet.review.options import ReviewOptions
    from emonet.review.page import write_review
    from emonet.review.review import Review, open_review
    from emonet.review.server import ReviewServer


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

__getattr__, __dir__ = import_when_used(
    __name__,
    {
        "confident": ("LabelQuality", "measure_labels"),
        "doubts": ("Doubt", "find_doubtful"),
        "options": ("ReviewOptions",),
        "page": ("write_review",),
        "review": ("Review", "open_review"),
        "server": ("ReviewServer",),
    },
    "a review",
    "emonet[train]",
)
