"""Let other libraries download their weights, and say what to do where they cannot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from facecrop.errors import MachineError


@contextmanager
def downloading(weights: str) -> Iterator[None]:
    """Turn a failed download of weights into a MachineError that says what to do."""
    try:
        yield
    except OSError as error:
        raise MachineError(
            f"{weights} could not be downloaded: {error}. Begin without them, "
            f"or put the file into {Path(torch.hub.get_dir()).parent}, where the library keeps it"
        ) from error


def on_meta_device() -> bool:
    """Tell whether networks are being created without weights."""
    return torch.empty(0).device.type == "meta"
