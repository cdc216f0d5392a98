"""Choose the device that networks run on, and the precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from emonet.errors import OptionError
from facecrop.devices import resolve_device

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Machine:
    """Name the device that a network runs on, and the precision of its arithmetic.

    Attributes:
        device: As torch names it.
        bf16: Whether the network runs in bfloat16, where torch's autocast allows it; else in float32.
    """

    backend: ClassVar[str] = "torch"

    device: torch.device
    bf16: bool

    def __str__(self) -> str:
        import torch

        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else f"{_count_threads()} threads"
        return f"{self.device} ({name}), {'bf16' if self.bf16 else 'fp32'}"

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context in which a network runs in the chosen precision."""
        import torch

        return torch.autocast(self.device.type, torch.bfloat16) if self.bf16 else nullcontext()


def open_machine(device: str = "auto", precision: str = "auto") -> Machine:
    """Choose a device and a precision.

    Args:
        device: cpu, mps, cuda or cuda:N; `auto` takes the first of cuda, mps and cpu that is there.
        precision: fp32 or bf16; `auto` takes bf16 where the hardware does it.

    Raises:
        OptionError: A name is unknown, or there is no such device.
    """
    import torch

    chosen = torch.device(resolve_device(device))
    check_precision(precision)
    return Machine(chosen, precision == "bf16" or (precision == "auto" and _has_bf16(chosen)))


def check_precision(precision: str) -> None:
    """Raise an OptionError unless a precision is one of those that `open_machine` takes."""
    if precision not in ("auto", "fp32", "bf16"):
        raise OptionError(f"precision must be auto, fp32 or bf16, got {precision!r}")


def _has_bf16(device: torch.device) -> bool:
    """Tell whether the hardware does bf16: emulated, it is slower than fp32."""
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    supports = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # torch has no public question for it
    return device.type == "cpu" and supports is not None and bool(supports())


def _count_threads() -> int:
    import torch

    return torch.get_num_threads()
