"""Adapt a model to your own labelled photos: a new head on its features, judged before it is used.

labelled.py        finds labels, and who is in the photos
faces.py           cuts out the labelled faces as in prediction, and finds bursts among them
features.py        what the last layer of the network is given
fitting.py         fits the new head; head.py adds it to the model
judging.py         cross-validation, and the model's own answers beside it
adaptation.py      all of it in order
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emonet.adapting.adaptation import Adapted, adapt
    from emonet.adapting.judging import Judgement
    from emonet.adapting.options import AdaptOptions

__all__ = ["AdaptOptions", "Adapted", "Judgement", "adapt"]

_MODULES = {"AdaptOptions": "options", "Adapted": "adaptation", "Judgement": "judging", "adapt": "adaptation"}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: the help of a command needs only the options."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
