"""Use a trained network: open a model file, run it on a device, average views of an image, and export it to ONNX."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emonet.inference.checkpoint import Checkpoint
    from emonet.inference.classifier import Classifier, open_classifier
    from emonet.inference.devices import Machine, open_machine
    from emonet.inference.loading import load_model

__all__ = ["Checkpoint", "Classifier", "Machine", "load_model", "open_classifier", "open_machine"]

_MODULES = {
    "Checkpoint": "checkpoint",
    "Classifier": "classifier",
    "Machine": "devices",
    "load_model": "loading",
    "open_classifier": "classifier",
    "open_machine": "devices",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: most of them bring torch, which commands do not need to show their help."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
