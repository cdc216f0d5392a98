"""Weights that other libraries download: what is said where they cannot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from facecrop.errors import MachineError


@contextmanager
def downloading(weights: str) -> Iterator[None]:
    """Says which weights were missing, and what to do without a network."""
    try:
        yield
    except OSError as error:
        raise MachineError(
            f"{weights} could not be downloaded: {error}. Begin without them, "
            f"or put the file into {Path(torch.hub.get_dir()).parent}, where the library keeps it"
        ) from error


def nothing_to_load() -> bool:
    """Whether networks are made without numbers, to look at or for a checkpoint's weights: no time to download any."""
    return torch.empty(0).device.type == "meta"
