"""The networks: one architecture a module, found by name in `MODELS`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from facecrop.packages import importing

if TYPE_CHECKING:
    from emonet.models._network import Network
    from emonet.models._registry import MODELS, create_meta_model, create_model, model_class

__all__ = ["MODELS", "Network", "create_meta_model", "create_model", "model_class"]


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: networks bring torch, which `emonet.models.inputs` does without."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with importing("a network", "emonet[train]"):
        registry = importlib.import_module("emonet.models._registry")
    return getattr(registry, name)


def __dir__() -> list[str]:
    return __all__
