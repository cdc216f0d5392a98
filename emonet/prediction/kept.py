"""Predictors that are kept from call to call, so that `emonet.predict` opens each model once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from threading import Lock

from emonet.inference.loading import HUB, find_model_file
from emonet.prediction.inputs import GivenModel
from emonet.prediction.predictor import EmotionPredictor

MOST = 4  # predictors; the one that was used longest ago leaves

_Key = tuple[object, str | None, str | None]
_kept: dict[_Key, EmotionPredictor] = {}
_lock = Lock()


def keep_predictor(
    model: GivenModel | Sequence[GivenModel] = "emonet", head: str | None = None, prior: str | None = None
) -> EmotionPredictor:
    """Return the predictor of a model, a head and a prior; threads that ask at the same time get the same one."""
    key: _Key = (_identify(model), head, prior)
    with _lock:
        found = _kept.pop(key, None) or EmotionPredictor(model, head=head, prior=prior)
        _kept[key] = found
        if len(_kept) > MOST:
            _kept.pop(next(iter(_kept)))
    return found


def _identify(model: GivenModel | Sequence[GivenModel]) -> object:
    """Return what tells a model from others; a file that has changed is another model."""
    if isinstance(model, list | tuple):
        return tuple(map(_identify, model))
    if not isinstance(model, str | os.PathLike) or str(model).startswith(HUB):  # the Hub is asked once
        return model
    path = find_model_file(model)
    try:
        status = path.stat()
    except OSError:  # opening it says what is wrong
        return os.fspath(model)
    return os.fspath(path), status.st_mtime_ns, status.st_size
