"""Adapt a model to your own labelled photos: a new head on its features, judged before it is used.

labelled.py        finds labels, and who is in the photos
faces.py           cuts out the labelled faces as in prediction, and finds bursts among them
features.py        what the last layer of the network is given
fitting.py         fits the new head; head.py adds it to the model
judging.py         cross-validation, and the model's own answers beside it
adaptation.py      all of it in order
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emonet.lazy import import_when_used

if TYPE_CHECKING:
    from emonet.adapting.adaptation import Adapted, adapt
    from emonet.adapting.judging import Judgement
    from emonet.adapting.options import AdaptOptions

__all__ = ["AdaptOptions", "Adapted", "Judgement", "adapt"]

__getattr__, __dir__ = import_when_used(
    __name__, {"adaptation": ("Adapted", "adapt"), "judging": ("Judgement",), "options": ("AdaptOptions",)}
)
