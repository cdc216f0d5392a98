"""The files of the models that come with the package, each with its card. `emonet.inference.load_model` opens them."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """Find the names of before 0.2 where they are now."""
    if name not in ("BUNDLED", "FOLDER", "is_file_name", "open_model"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from emonet.inference import loading

    return getattr(loading, "load_model" if name == "open_model" else name)
