"""Let other libraries download their weights, and say what to do where they cannot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from facecrop.errors import MachineError


@contextmanager
def downloading(weights: str) -> Iterator[None]:
    """Raise MachineError where weights cannot be downloaded, saying which and what to do."""
    try:
        yield
    except OSError as error:
        raise MachineError(
            f"{weights} could not be downloaded: {error}. Begin without them, "
            f"or put the file into {Path(torch.hub.get_dir()).parent}, where the library keeps it"
        ) from error


def on_meta_device() -> bool:
    """Tell whether networks are being created without weights: then there is nothing to download."""
    return torch.empty(0).device.type == "meta"
