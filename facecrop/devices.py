"""Choose the device to run on, for detectors and for networks."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from facecrop.errors import OptionError
from facecrop.packages import importing

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
        OptionError: The name is unknown, or there is no such device.
        MissingPackageError: The device needs torch, which is not installed.
    """
    device = str(device)  # a torch.device is as good as its name
    if device == "auto":
        return next(kind for kind in kinds if kind == "cpu" or (find_spec("torch") and _is_available(kind)))
    kind, colon, number = device.partition(":")
    numbered = kind == "cuda" and number.isascii() and number.isdigit()
    if kind not in kinds or (colon and not numbered):
        raise OptionError(f"device must be {allowed_devices(kinds)}, got {device!r}")
    with importing(f"the device {device!r}", "emonet[train]"):
        available = _is_available(kind)
    if not available:
        raise OptionError(f"device {device!r} was asked for, and {_name_torch()} sees none")
    return _check_card(int(number)) if colon else kind


def allowed_devices(kinds: Sequence[str] = KINDS) -> str:
    """List the names that `resolve_device` takes, for error messages."""
    names = ["auto", *kinds, *(["cuda with a number"] if "cuda" in kinds else [])]
    return f"{', '.join(names[:-1])}{',' if len(names) > 2 else ''} or {names[-1]}"


def count_cards() -> int:
    """Count the CUDA cards that torch sees, without opening a CUDA context."""
    import torch

    return torch.cuda.device_count()


def to_device(x: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor from the host to a device, without waiting for a CUDA card."""
    if device.type != "cuda":
        return x.to(device)  # elsewhere the host's memory may be used again before it is read
    return x.pin_memory().to(device, non_blocking=True)  # unpinned, the copy waits for all that the card has to do


def _is_available(kind: str) -> bool:
    if kind == "cpu":
        return True
    import torch

    return torch.cuda.is_available() if kind == "cuda" else torch.backends.mps.is_available()


def _check_card(number: int) -> str:
    import torch

    if number >= count_cards():
        cards = ", ".join(f"cuda:{index} ({torch.cuda.get_device_name(index)})" for index in range(count_cards()))
        raise OptionError(f"device 'cuda:{number}' was asked for, and {_name_torch()} sees {cards}")
    return f"cuda:{number}"


def _name_torch() -> str:
    import torch

    return f"torch {torch.__version__}"  # says whether it was built for CUDA
