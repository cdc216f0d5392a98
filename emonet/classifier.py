"""A network in use: from faces as pixels to probabilities, in batches, on one device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emonet.devices import Machine
from emonet.inputs import InputSpec, Pixels

if TYPE_CHECKING:
    from torch import Tensor, nn

BATCH = 512


@dataclass(frozen=True, slots=True, eq=False)
class Classifier:
    """Calling it with pictures (N, size, size, channels) gives their probabilities (N, classes), in float32."""

    network: nn.Module
    spec: InputSpec
    machine: Machine
    batch_size: int = BATCH

    def __call__(self, pixels: Pixels) -> NDArray[np.float32]:
        import torch

        self.network.eval()
        with torch.inference_mode():
            pieces = [self._probabilities(piece) for piece in torch.split(pictures_as_tensor(pixels), self.batch_size)]
            return np.asarray(torch.cat(pieces).cpu().numpy(), np.float32)

    def _probabilities(self, piece: Tensor) -> Tensor:
        import torch

        x = self.spec.scale(piece.to(self.machine.device)).contiguous(memory_format=torch.channels_last)
        with self.machine.autocast():
            scores = self.network(x)
        probabilities: Tensor = scores.float().softmax(1)
        return probabilities


def pictures_as_tensor(pixels: Pixels) -> Tensor:
    """Pictures (N, size, size, channels) as (N, channels, size, size); a view."""
    import torch

    return torch.from_numpy(pixels).permute(0, 3, 1, 2)
