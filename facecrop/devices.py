"""Which device to run on: one answer for detectors and for networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from facecrop.errors import OptionError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

KINDS = ("cuda", "mps", "cpu")  # best first


def resolve_device(device: str = "auto", kinds: Sequence[str] = KINDS) -> str:
    """Check the name of a device, and replace "auto" by the best device that is there.

    Args:
        device: "auto", "cpu", "mps", "cuda" or "cuda:N".
        kinds: The kinds of devices that the caller can run on, best first.

    Returns:
        The name as torch takes it. "cuda" stays as it is: torch's current card.

    Raises:
        ValueError: The name is unknown, or there is no such device.
    """
    device = str(device)  # a torch.device is as good as its name
    if device == "auto":
        return next(kind for kind in kinds if _is_there(kind))
    kind, colon, number = device.partition(":")
    numbered = kind == "cuda" and number.isascii() and number.isdigit()
    if kind not in kinds or (colon and not numbered):
        raise OptionError(f"device must be {allowed_devices(kinds)}, got {device!r}")
    if not _is_there(kind):
        raise OptionError(f"device {device!r} was asked for, and {_torch()} sees none")
    return _card(int(number)) if colon else kind


def allowed_devices(kinds: Sequence[str] = KINDS) -> str:
    """The names that `resolve_device` takes, for error messages."""
    names = ["auto", *kinds, *(["cuda with a number"] if "cuda" in kinds else [])]
    return f"{', '.join(names[:-1])}{',' if len(names) > 2 else ''} or {names[-1]}"


def count_cards() -> int:
    """How many CUDA cards torch sees. Opens no CUDA context."""
    import torch

    return torch.cuda.device_count()


def to_device(x: Tensor, device: torch.device) -> Tensor:
    """Send a tensor from the host to a device; a CUDA card is not waited for."""
    if device.type != "cuda":
        return x.to(device)  # elsewhere the host's memory may be used again before it is read
    return x.pin_memory().to(device, non_blocking=True)  # unpinned, the copy waits for all that the card has to do


def _is_there(kind: str) -> bool:
    if kind == "cpu":
        return True
    import torch

    return torch.cuda.is_available() if kind == "cuda" else torch.backends.mps.is_available()


def _card(number: int) -> str:
    import torch

    if number >= count_cards():
        cards = ", ".join(f"cuda:{index} ({torch.cuda.get_device_name(index)})" for index in range(count_cards()))
        raise OptionError(f"device 'cuda:{number}' was asked for, and {_torch()} sees {cards}")
    return f"cuda:{number}"


def _torch() -> str:
    import torch

    return f"torch {torch.__version__}"  # says whether it was built for CUDA
