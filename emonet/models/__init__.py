"""The networks: one architecture a module, found by name in `MODELS`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emonet.lazy import import_when_used

if TYPE_CHECKING:
    from emonet.models._network import Network
    from emonet.models._registry import MODELS, create_meta_model, create_model, model_class

__all__ = ["MODELS", "Network", "create_meta_model", "create_model", "model_class"]

__getattr__, __dir__ = import_when_used(
    __name__,
    {"_registry": ("MODELS", "Network", "create_meta_model", "create_model", "model_class")},
    "a network",
    "emonet[train]",
)
