"""Where networks run, and in which precision: found out once, said aloud, and stored with what was trained."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emonet.errors import OptionError
from facecrop.devices import resolve_device

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Machine:
    """A device and how numbers are held on it."""

    device: torch.device
    bf16: bool

    def __str__(self) -> str:
        import torch

        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else f"{_threads()} threads"
        return f"{self.device} ({name}), {'bf16' if self.bf16 else 'fp32'}"

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which a network runs in bf16, if it shall."""
        import torch

        return torch.autocast(self.device.type, torch.bfloat16) if self.bf16 else nullcontext()


def open_machine(device: str = "auto", precision: str = "auto") -> Machine:
    """`auto` takes the first of cuda, mps and cpu that is there; bf16 where it is as fast as it should be."""
    import torch

    chosen = torch.device(resolve_device(device))
    if precision not in ("auto", "fp32", "bf16"):
        raise OptionError(f"precision must be auto, fp32 or bf16, got {precision!r}")
    return Machine(chosen, precision == "bf16" or (precision == "auto" and _has_bf16(chosen)))


def _has_bf16(device: torch.device) -> bool:
    """Whether bf16 is done by the hardware: emulated, it is slower than fp32."""
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    supports = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # torch has no public question for it
    return device.type == "cpu" and supports is not None and bool(supports())


def _threads() -> int:
    import torch

    return torch.get_num_threads()
