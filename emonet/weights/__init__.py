"""The models that come with the package, each beside its card."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from emonet.errors import OptionError

if TYPE_CHECKING:
    from emonet.inference.checkpoint import Checkpoint

FOLDER = Path(__file__).parent
BUNDLED = ("emonet", "emonet_fast")


def open_model(model: str | os.PathLike[str]) -> Checkpoint:
    """A model that comes with the package, by its name, or the one in a file. A file is meant where there is a dot or
    a folder in the name."""
    from emonet.inference.checkpoint import load_checkpoint

    if is_file_name(model):
        return load_checkpoint(model)
    if str(model) not in BUNDLED:
        raise OptionError(f"no model {str(model)!r}: there are {', '.join(BUNDLED)}, and model files by their path")
    return load_checkpoint(FOLDER / f"{model}.safetensors")


def is_file_name(model: str | os.PathLike[str]) -> bool:
    """Whether a file is meant, and no name: there is a dot or a folder in it."""
    path = Path(model)
    return bool(path.suffix) or len(path.parts) > 1
